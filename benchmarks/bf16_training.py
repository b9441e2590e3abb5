#!/usr/bin/python3
"""Whether training in bfloat16 is the same as training in float32: loss curves of both over several seeds.

Each seed trains twice from the same initial weights and the same order of clips; only the format of the factors of products
differs. What bfloat16 changes is then held against what another seed changes: the mean over epochs of the distance
between the two formats' curves of a seed, and of that between two seeds' curves in float32. Test speakers are not looked at.

    benchmarks/bf16_training.py build/serene --config configs/model_strong.json --seeds 3
"""
import argparse
import csv
import itertools
import json
import os
import statistics
import subprocess
import tempfile

from suite import picture

HERE = os.path.dirname(os.path.abspath(__file__))
PRECISIONS = ["full", "bf16"]
CURVES = {"train_loss": "training loss", "val_loss": "validation loss"}


def train(options, seed, precision, folder):
    """The rows of the log of one run."""
    run = os.path.join(folder, "%s-%d" % (precision, seed))
    command = [options.program, "train", options.config, "--run", run, "--quiet", "--set", "seed=%d" % seed, "--set",
               "train.precision=%s" % precision, "--set", "train.epochs=%d" % options.epochs, "--set", "train.early_stopping.enabled=false"]
    for extra in options.set:
        command += ["--set", extra]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit("%s: %s" % (options.program, done.stderr.strip()))
    with open(os.path.join(run, "log.csv"), newline="") as log:
        return [{name: float(row[name]) for name in [*CURVES, "val_uar"]} for row in csv.DictReader(log)]


def distance(one, other, name):
    """Mean absolute distance of two curves over epochs."""
    return statistics.mean(abs(a[name] - b[name]) for a, b in zip(one, other))


def compare(logs, seeds):
    result = {}
    for name in CURVES:
        formats = [distance(logs["full", s], logs["bf16", s], name) for s in seeds]
        others = [distance(logs["full", a], logs["full", b], name) for a, b in itertools.combinations(seeds, 2)]
        signed = [statistics.mean(b[name] - a[name] for a, b in zip(logs["full", s], logs["bf16", s])) for s in seeds]
        result[name] = {"bf16_to_float32": statistics.mean(formats), "seed_to_seed": statistics.mean(others) if others else None,
                        "bf16_minus_float32": statistics.mean(signed)}
    best = {p: [max(row["val_uar"] for row in logs[p, s]) for s in seeds] for p in PRECISIONS}
    result["best_val_uar"] = {p: [round(u, 4) for u in best[p]] for p in PRECISIONS}
    return result


def chart(logs, seeds, name, left, title):
    series = [("a" if p == "full" else "b", [(e + 1, row[name]) for e, row in enumerate(logs[p, s])]) for p in PRECISIONS for s in seeds]
    points = [value for _, curve in series for _, value in curve]
    low, high, top, width, height, last = min(points) * 0.95, max(points) * 1.05, 60, 380, 220, len(series[0][1])
    x = lambda e: left + width * (e - 1) / max(last - 1, 1)  # noqa: E731
    y = lambda v: top + height * (high - v) / (high - low)  # noqa: E731
    out = [picture.text(left, top - 12, title)]
    for step in range(5):
        v = low + (high - low) * step / 4
        out += [picture.line(left, y(v), left + width, y(v), "grid"), picture.text(left - 6, y(v) + 4, "%.2f" % v, "soft", "end")]
    for e in sorted({1, (last + 1) // 2, last}):
        out.append(picture.text(x(e), top + height + 16, "%d" % e, "soft", "middle"))
    for style, curve in series:
        out.append('<polyline class="%s" points="%s"/>' % (style, " ".join("%.1f,%.1f" % (x(e), y(v)) for e, v in curve)))
    return out + [picture.text(left + width / 2, top + height + 32, "epoch", "soft", "middle")]


def svg(logs, seeds):
    body = [picture.text(20, 26, "Training in float32 (blue) and in bfloat16 (orange), %d seeds each" % len(seeds), "title")]
    for place, (name, title) in enumerate(CURVES.items()):
        body += chart(logs, seeds, name, 60 + 450 * place, title)
    return ('<svg xmlns="http://www.w3.org/2000/svg" class="p" viewBox="0 0 920 330" width="920" height="330" role="img" '
            'aria-label="Loss curves of training in float32 and bfloat16"><style>%s</style><rect class="page" width="920" '
            'height="330"/>\n%s\n</svg>\n' % (picture.STYLE, "\n".join(body)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="serene")
    parser.add_argument("--config", default=os.path.join(HERE, "..", "configs", "model_strong.json"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for the config; may be repeated")
    parser.add_argument("--out", default=os.path.join(HERE, "results"), help="folder of bf16_training.json and .svg")
    options = parser.parse_args()
    seeds, logs = list(range(1, options.seeds + 1)), {}
    with tempfile.TemporaryDirectory(prefix="serene-bf16-") as folder:
        for seed, precision in itertools.product(seeds, PRECISIONS):
            logs[precision, seed] = train(options, seed, precision, folder)
    result = compare(logs, seeds)
    for name, title in CURVES.items():
        r = result[name]
        print("%s: bf16 to float32 %.4f, seed to seed %s, bf16 minus float32 %+.4f" %
              (title, r["bf16_to_float32"], "-" if r["seed_to_seed"] is None else "%.4f" % r["seed_to_seed"], r["bf16_minus_float32"]))
    print("best validation UAR: " + "; ".join("%s %s" % (p, " ".join("%.1f %%" % (100 * u) for u in us)) for p, us in result["best_val_uar"].items()))
    report = {"options": {"config": os.path.basename(options.config), "seeds": options.seeds, "epochs": options.epochs,
                          "set": [s for s in options.set if not s.startswith("data.cache_dir=")]},
              "result": result, "curves": {"%s seed %d" % key: rows for key, rows in logs.items()}}
    with open(os.path.join(options.out, "bf16_training.json"), "w") as out:
        json.dump(report, out, indent=1)
    with open(os.path.join(options.out, "bf16_training.svg"), "w") as out:
        out.write(svg(logs, seeds))


if __name__ == "__main__":
    main()
