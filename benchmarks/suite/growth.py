"""How serene's time grows with the length of a clip, the size of a batch and the number of threads; layers; features."""
import json
import os

from . import figures
from .workers import Team, output_of

FRAMES = (75, 150, 300, 600, 1200)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


def measure(context, commands):
    """[spread of the median seconds] of each command, all of them taking turns."""
    with Team() as team:
        for key, command in commands.items():
            team.add(key, command)
        answers = figures.interleave(team.workers, context.rounds, context.seconds / 2)
    return {key: figures.spread(figures.medians(a)) for key, a in answers.items()}


def growth(context):
    c = context.commands
    frames = measure(context, {t: c.serene("inference", frames=t) for t in FRAMES})
    batches = measure(context, {b: c.serene("inference", b) for b in BATCHES})
    steps = measure(context, {b: c.serene("training", b) for b in BATCHES if b >= 8})
    threads = measure(context, {(w, n): c.serene(w, 64, n) for w in ("inference", "training") for n in context.thread_counts})
    rate = lambda batch, s: {"median": batch / s["median"], "min": batch / s["max"], "max": batch / s["min"]}  # noqa: E731
    return {"frames": [{"frames": t, "inference_ms": 1e3 * s["median"], "min": 1e3 * s["min"], "max": 1e3 * s["max"]}
                       for t, s in frames.items()],
            "batch": [{"batch": b, "inference_per_s": rate(b, s), "training_per_s": rate(b, steps[b]) if b in steps else None}
                      for b, s in batches.items()],
            "threads": [{"work": w, "threads": n, "samples_per_s": rate(64, s)} for (w, n), s in threads.items()]}


def program_json(context, name, *arguments):
    return json.loads(output_of([os.path.join(context.commands.build, "benchmarks", name), *arguments], name))


def layers(context):
    return program_json(context, "bench_layers", "%g" % min(0.3, context.seconds / 3))


def features(context):
    """Rows of bench_features: turns against kissfft are taken inside that program."""
    report = program_json(context, "bench_features", "%g" % min(0.5, context.seconds / 2))
    rows = []
    for fft in report["fft"]:
        ours = [1e6 * fft["serene"][k] / fft["frames"] for k in ("median_s", "min_s", "p99_s")]
        if "kissfft" in fft:
            theirs = [1e6 * fft["kissfft"][k] / fft["frames"] for k in ("median_s", "min_s", "p99_s")]
            rows.append(figures.row("features", "real FFT of %d points" % fft["size"], ours, "µs", "kissfft", theirs,
                                    [fft["ratio"][k] for k in ("median", "p10", "p90")], (">=", 2)))
        else:
            rows.append(figures.row("features", "real FFT of %d points" % fft["size"], ours, "µs"))
    for clip in report["clips"]:
        if clip["what"] == "read + make":
            times = [1e3 * clip["times"][k] for k in ("median_s", "min_s", "p99_s")]
            what = "read a %g s clip and make %s%s" % (report["clip_s"], clip["preset"], ", silence cut off" if clip["trimmed"] else "")
            rows.append(figures.row("features", what, times, "ms",
                                    goal=("<=", 0.4) if clip["preset"] == "mfcc-40" and not clip["trimmed"] else None))
    return rows
