#!/usr/bin/python3
"""How often `serene call` shows the state that was played, over many generated calls, clean and over the telephone.

Every call is a scenario with a seed: stretches of a few clips each, in random emotions of the customer, with the agent's
neutral words between them. Speakers are chosen by the program: first those whom the model has never heard. Everything
runs through the command line, one call after the other, as fast as it goes; what counts as right is explained in
lib/serene/call/truth_score.h. Intervals are percentile bootstraps over calls.

    benchmarks/calls.py build/serene --model configs/pretrained/default.safetensors --json benchmarks/results/calls.json
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import tempfile

SHARES = ["right", "uncertain", "wrong", "best_right"]
LINE = ["--codec", "mulaw", "--rate", "8000"]
CONDITIONS = {"clean": [], "8 kHz mu-law": LINE, "300-3400 Hz too": [*LINE, "--band-pass"], "2 % loss too": [*LINE, "--band-pass", "--loss", "0.02"]}


def scenario(number, emotions, options):
    """Stretches of emotion, never the same one twice in a row."""
    draw = random.Random(options.seed * 100003 + number)
    turns, last = [{"leg": "agent", "emotion": "neutral", "clips": 1}], None
    for _ in range(draw.randint(4, 6)):
        last = draw.choice([e for e in emotions if e != last])
        turns.append({"leg": "customer", "emotion": last, "clips": draw.randint(3, 5), "pause_s": round(draw.uniform(0.2, 0.8), 2)})
        if draw.random() < 0.7:
            turns.append({"leg": "agent", "emotion": "neutral", "clips": draw.randint(1, 2), "pause_s": round(draw.uniform(0.2, 0.8), 2)})
    call = {"title": "generated call %d" % number, "seed": draw.randrange(1 << 30), "turns": turns}
    if options.speakers:
        call["customer"] = {"speaker": draw.choice(options.speakers.split(","))}
    return call


def play(options, files, condition, folder):
    command = [options.program, "call", *files, "--speed", "max", "--headless", "--threads", "1", "--no-history", "--id", "call",
               "--out", str(folder), *CONDITIONS[condition]]
    for name in ("model", "data", "config", "playbook"):
        value = getattr(options, name)
        command += ["--" + name, value] if value else []
    command += ["--set=" + change for change in options.set]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit("calls.py: error: exit code %d: %s" % (done.returncode, done.stderr.strip().splitlines()[-1:]))
    names = ["call-%d" % (i + 1) for i in range(len(files))] if len(files) > 1 else [""]
    calls = [json.loads((folder / name / "summary.json").read_text()) for name in names]
    latency = re.search(r"latency median ([0-9.]+) ms, p99 ([0-9.]+) ms, max ([0-9.]+) ms over (\d+) window", done.stderr)
    return calls, [float(x) for x in latency.groups()] if latency else []


def interval(values, seed=0, rounds=10000):
    """Mean and 95 % interval over calls."""
    draw, n = random.Random(seed), len(values)
    means = sorted(sum(draw.choices(values, k=n)) / n for _ in range(rounds))
    return {"mean": sum(values) / n, "low": means[int(0.025 * rounds)], "high": means[int(0.975 * rounds) - 1]}


def result_of(calls, latency):
    scored = [c["correct"] for c in calls if c.get("correct", {}).get("windows", 0) > 0]
    if not scored:
        raise SystemExit("calls.py: error: no call had a window that can be scored")
    unmixed = [c["unmixed"] for c in scored if c["unmixed"]["windows"] > 0]
    counts = {}
    for call in scored:
        for truth, row in call["counts"].items():
            for told, n in row.items():
                counts.setdefault(truth, {}).setdefault(told, 0)
                counts[truth][told] += n
    return {"calls": len(scored), "windows": sum(c["windows"] for c in scored),
            "minutes": round(sum(c["duration_ms"] for c in calls) / 60000, 1),
            "all": {s: interval([c[s] for c in scored]) for s in SHARES},
            "unmixed": {s: interval([c[s] for c in unmixed]) for s in SHARES} if unmixed else {},
            "recall": {t: round(row.get(t, 0) / sum(row.values()), 4) for t, row in sorted(counts.items())},
            "counts": counts, "latency_ms": dict(zip(("median", "p99", "max", "windows"), latency))}


def table(results):
    text = "| condition | windows | right % | uncertain % | wrong % | best guess right % | latency median / p99 ms |\n"
    text += "|---|---|---|---|---|---|---|\n"
    for name, result in results.items():
        for kind in ("all", "unmixed"):
            if not result[kind]:
                continue
            cells = ["%.1f (%.1f-%.1f)" % tuple(100 * result[kind][s][k] for k in ("mean", "low", "high")) for s in SHARES]
            latency = "%(median).1f / %(p99).1f" % result["latency_ms"] if kind == "all" and result["latency_ms"] else ""
            text += "| %s, %s | %s | %s | %s |\n" % (name, kind + " windows" if kind == "all" else "one state in the window",
                                                     result["windows"] if kind == "all" else "", " | ".join(cells), latency)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program serene")
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--emotions", default="neutral,happy,sad,angry,fearful,disgust,surprised")
    parser.add_argument("--speakers", help="customers to draw from, such as ravdess-07,ravdess-08; otherwise the program chooses")
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="some of: " + ", ".join(CONDITIONS).replace("%", "%%"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="passed on")
    for name in ("model", "data", "config", "playbook"):
        parser.add_argument("--" + name, help="passed on")
    parser.add_argument("--json", help="file for all figures")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        files = []
        for number in range(options.calls):
            files.append(folder / ("call_%03d.json" % number))
            files[-1].write_text(json.dumps(scenario(number, options.emotions.split(","), options)))
        for condition in options.conditions.split(","):
            results[condition] = result_of(*play(options, files, condition, folder / condition))
    print(table(results), end="")
    if options.json:
        about = {"calls": options.calls, "seed": options.seed, "emotions": options.emotions, "speakers": options.speakers, "set": options.set}
        pathlib.Path(options.json).write_text(json.dumps({"options": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
