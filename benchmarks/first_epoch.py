#!/usr/bin/python3
"""First training epoch of model_strong on a whole corpus: serene against PyTorch, turn by turn in one run.

Both sides get the same standardised features, clips, batch size and optimizer, each epoch in a fresh process. PyTorch
runs padded (every clip as long as the longest) and cropped (every batch cut to its longest clip); serene runs as it
trains (each clip's own length) and padded (the same arithmetic as PyTorch's). What counts: batches, forward, backward,
updates, and whatever happens for the first time; on serene's side also planning the memory and the initial weights.
What does not: starting the program, importing torch, reading the features.

The network of the PyTorch side is verified against its reference case first, losses of both sides must be finite and
fall within the range of a first epoch, and nothing is reported otherwise. Rounds alternate (A B C D, A B C D, ...) and
ratios are taken within a round, so that a machine that speeds up or slows down hits both sides alike.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def run(command, what):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit("first_epoch.py: error: %s failed (exit code %d)" % (what, done.returncode))
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else {}


def python_with_torch():
    """Debian's interpreter first: python3-torch belongs to it."""
    for python in ("/usr/bin/python3", sys.executable):
        if subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    raise SystemExit("first_epoch.py: error: no PyTorch; data_scripts/install_packages.sh python3-torch python3-numpy "
                     "libopenblas0-openmp")


def sides(options, folder, threads):
    """Name and command of everything that takes part in a round."""
    ours = [options.program, options.config, "--threads", str(threads)] + options.corpus
    torch = [options.python, os.path.join(HERE, "pytorch_epoch.py"), "--features", os.path.join(folder, "x.npy"),
             "--labels", os.path.join(folder, "labels.npy"), "--threads", str(threads), "--batch", str(options.batch)]
    return {"serene": ours, "torch cropped": torch + ["--lengths", os.path.join(folder, "lengths.npy")],
            "serene padded": ours + ["--padded"], "torch padded": torch}


def check_loss(name, result, classes):
    loss = result["loss"] if "loss" in result else result["losses"][0]
    if not (math.isfinite(loss) and 0 < loss < 1.5 * math.log(classes)):
        raise SystemExit("first_epoch.py: error: %s: loss %r is not that of a first epoch" % (name, loss))
    return loss


def spread(values, digits=2):
    return "%.*f (%.*f-%.*f)" % (digits, statistics.median(values), digits, min(values), digits, max(values))


def measure(options, folder, classes):
    figures = []
    for number in range(options.rounds):
        for threads in options.threads:
            for name, command in sides(options, folder, threads).items():
                result = run(command, name)
                loss = check_loss(name, result, classes)
                figures.append({"round": number, "threads": threads, "side": name, "loss": loss,
                                "seconds": result["first_epoch_seconds"], "peak_rss_mb": result["peak_rss_mb"]})
                print("round %d/%d  threads %d  %-14s %7.2f s  loss %.3f" %
                      (number + 1, options.rounds, threads, name, result["first_epoch_seconds"], loss), file=sys.stderr)
    return figures


def table(figures, options, clips):
    """Text and ratios: each ratio is PyTorch's time over serene's, pair by pair within a round."""
    def series(threads, side, key="seconds"):
        return [f[key] for f in figures if f["threads"] == threads and f["side"] == side]

    lines, ratios = [], {}
    lines.append("%-7s %-14s %-24s %11s %12s" % ("threads", "side", "seconds: median (range)", "samples/s", "peak RSS MB"))
    for threads in options.threads:
        for side in ("serene", "serene padded", "torch cropped", "torch padded"):
            seconds = series(threads, side)
            lines.append("%-7d %-14s %-24s %11.1f %12.0f" %
                         (threads, side, spread(seconds), clips / statistics.median(seconds),
                          max(series(threads, side, "peak_rss_mb"))))
    lines.append("")
    for threads in options.threads:
        for ours, theirs in (("serene", "torch cropped"), ("serene", "torch padded"), ("serene padded", "torch padded")):
            pairs = [t / s for s, t in zip(series(threads, ours), series(threads, theirs))]
            ratios["%d threads: %s / %s" % (threads, theirs, ours)] = pairs
            lines.append("threads %d: %s is %s times as fast as %s" % (threads, ours, spread(pairs), theirs))
    best = [min(f["seconds"] for f in figures if f["round"] == r and f["side"].startswith("torch")) /
            min(f["seconds"] for f in figures if f["round"] == r and f["side"] == "serene") for r in range(options.rounds)]
    ratios["best of torch / best of serene"] = best
    lines.append("best setting of each side: serene is %s times as fast" % spread(best))
    return "\n".join(lines), ratios


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.dirname(HERE)
    parser.add_argument("--build", default=os.path.join(root, "build"), help="build folder (default: build)")
    parser.add_argument("--config", default=os.path.join(root, "configs", "model_strong.json"))
    parser.add_argument("--data", help="folder of the corpus (default: found through SERENE_DATA)")
    parser.add_argument("--cache", help="folder of cached features")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--threads", default="1,2", help="default: 1,2")
    parser.add_argument("--out", help="write everything measured to this JSON file")
    options = parser.parse_args()
    options.threads = [int(t) for t in options.threads.split(",")]
    options.program = os.path.join(options.build, "benchmarks", "bench_first_epoch")
    if options.rounds < 1 or not os.path.exists(options.program):
        parser.error("--rounds below 1" if options.rounds < 1 else
                     "no %s; build with -DSERENE_BUILD_BENCHMARKS=ON" % options.program)
    options.corpus = (["--data", options.data] if options.data else []) + (
        ["--cache", options.cache] if options.cache else [])
    options.python = python_with_torch()
    return options


def main():
    options = parse()
    verified = run([options.python, os.path.join(HERE, "pytorch_epoch.py"), "--verify"], "verification of the PyTorch side")
    with tempfile.TemporaryDirectory(prefix="serene-first-epoch-") as folder:
        facts = run([options.program, options.config, "--dump", folder] + options.corpus, "bench_first_epoch --dump")
        options.batch = facts["batch"]
        classes = 8
        print("%d clips, up to %d frames (mean %.0f), %d features, batch %d" %
              (facts["samples"], facts["frames"], facts["mean_frames"], facts["features"], facts["batch"]), file=sys.stderr)
        figures = measure(options, folder, classes)
    text, ratios = table(figures, options, facts["samples"])
    machine = facts["machine"]
    print("%s, %d cores, serene's kernels %s; PyTorch %s, oneDNN %s" %
          (machine["cpu"], machine["cores"], machine["kernels"], verified["torch"], "yes" if verified["onednn"] else "no"))
    print("%d clips, up to %d frames (mean %.0f), batch %d, %d rounds in turn; load %.1f at the start\n" %
          (facts["samples"], facts["frames"], facts["mean_frames"], facts["batch"], options.rounds, machine["load_average"]))
    print(text)
    if options.out:
        with open(options.out, "w", encoding="utf-8") as f:
            json.dump({"benchmark": "first_epoch", "machine": machine, "facts": facts, "pytorch": verified,
                       "figures": figures, "ratios": ratios}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
