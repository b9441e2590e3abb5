"""What the studies share: cross-validations by the program, their answers, paired intervals, tables and pictures.

A study trains through `serene crossval`, whose folders go on where they were stopped: every fold is trained once, whoever
asks for it. Figures are means over folds and seeds; intervals are percentile bootstraps that resample speakers, the same
ones on both sides of a difference.
"""
import argparse
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))


def parser_of(description, name):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default=os.path.join(ROOT, "build", "serene"), help="serene (default: build/serene)")
    parser.add_argument("--runs", default=os.path.join(ROOT, "runs", "accuracy"), help="folder of the cross-validations (default: runs/accuracy)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="folds at once (default: cores)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", default="", help="only these, such as 0,2: for a first look")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every config; may be repeated")
    parser.add_argument("--out", default=os.path.join(os.path.dirname(HERE), "results", "accuracy"), help="folder of %s.json and .svg" % name)
    return parser


def serene(options, *arguments):
    """What the program prints as JSON; its progress goes to the terminal."""
    done = subprocess.run([options.program, *arguments, "--json"], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit("serene %s: exit code %d" % (arguments[0], done.returncode))
    return json.loads(done.stdout)


def crossval(options, config, protocol, overrides=(), name="", seeds=0):
    """Trains what is missing; returns (summary, folder)."""
    stem = os.path.splitext(os.path.basename(config))[0]
    folder = os.path.join(options.runs, "-".join(filter(None, [stem, protocol, name])))
    command = ["crossval", os.path.join(ROOT, config), "--protocol", protocol, "--seeds", str(seeds or options.seeds), "--run", folder,
               "--jobs", str(options.jobs)]
    command += ["--folds", options.folds] if options.folds else []
    for change in [*overrides, *options.set]:
        command += ["--set", change]
    return serene(options, *command), folder


def answers(folder, summary):
    """Every tested clip of every fold and seed: {"speaker", "truth", "logits", ...}."""
    rows = []
    for f in summary["folds"]:
        with open(os.path.join(folder, "seed%d-fold%d.json" % (f["seed"], f["fold"])), encoding="utf-8") as file:
            rows += json.load(file)["predictions"]
    return rows


def confusions(rows):
    """{speaker: confusion matrix as {(truth, answer): clips}}."""
    by_speaker = {}
    for r in rows:
        cell = (r["truth"], max(range(len(r["logits"])), key=r["logits"].__getitem__))
        counts = by_speaker.setdefault(r["speaker"], {})
        counts[cell] = counts.get(cell, 0) + 1
    return by_speaker


def uar(matrices):
    """Of the sum of confusion matrices: the mean recall of the classes that occur."""
    right, all_of = {}, {}
    for matrix in matrices:
        for (truth, answer), n in matrix.items():
            all_of[truth] = all_of.get(truth, 0) + n
            if truth == answer:
                right[truth] = right.get(truth, 0) + n
    return sum(right.get(c, 0) / n for c, n in all_of.items()) / len(all_of)


def paired(before, after, rounds=2000, seed=1):
    """UAR(after) - UAR(before) over the same speakers, with its 95 % interval."""
    a, b = confusions(before), confusions(after)
    speakers, draw = sorted(a.keys() & b.keys()), random.Random(seed)
    difference = lambda chosen: uar(b[s] for s in chosen) - uar(a[s] for s in chosen)  # noqa: E731
    draws = sorted(difference(draw.choices(speakers, k=len(speakers))) for _ in range(rounds))
    return {"estimate": difference(speakers), "low": draws[int(0.025 * rounds)], "high": draws[int(0.975 * rounds) - 1],
            "speakers": len(speakers)}


def brief(summary):
    """The figures of a cross-validation that the tables and pictures need."""
    pooled = summary["pooled"]
    return {"uar": summary["uar"], "war": summary["war"], "macro_f1": summary["macro_f1"], "ece": summary["ece"],
            "pooled_ece": pooled["calibrated"]["ece"],
            "interval": {k: pooled["uar"][k] for k in ("low", "high")}, "speaker_uar": pooled["speaker_uar"],
            "sex_gap_uar": pooled["sex_gap_uar"], "sexes": [{k: s[k] for k in ("name", "uar")} for s in pooled["sexes"]],
            "recall": {c["label"]: c["recall"] for c in pooled["classes"]}, "confusion": pooled["confusion"],
            "seeds": len(summary["seeds"]), "folds": len({f["fold"] for f in summary["folds"]}), "leaky": summary["leaky"]}


def spread_text(figure):
    """"63.3 ± 0.4", or "63.3" of a single seed."""
    return "%.1f" % (100 * figure["mean"]) + (" ± %.1f" % (100 * figure["deviation"]) if figure["count"] > 1 else "")


def signed_interval(i):
    return "%+.1f (%+.1f to %+.1f)" % (100 * i["estimate"], 100 * i["low"], 100 * i["high"])


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows]) + "\n"


def keep(options, name, report, text, picture=""):
    os.makedirs(options.out, exist_ok=True)
    files = {name + ".json": json.dumps(report, indent=1) + "\n", name + ".md": text}
    if picture:
        files[name + ".svg"] = picture
    for file, content in files.items():
        with open(os.path.join(options.out, file), "w", encoding="utf-8") as out:
            out.write(content)
    print(text)
