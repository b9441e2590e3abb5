#!/usr/bin/python3
"""Trained on one corpus, tested on another, shared emotions: as it is, and with the test corpus' features standardised by
their own mean and deviation, which takes unlabelled speech of it (a column of its own, never the main figure).

    benchmarks/accuracy/cross_corpus.py build/serene --seeds 1
"""
import os
import statistics
import subprocess

import common

# from, to, epochs (CREMA-D has five times the clips), goal (at least), published, both with unlabelled standardisation
WAYS = [("ravdess", "cremad", 80, 38.0, "33"), ("cremad", "ravdess", 20, 48.0, "38")]
COLUMNS = {"as it is": lambda e: e, "standardised per speaker": lambda e: e["per_speaker"], "standardised per corpus": lambda e: e["per_corpus"]}


def run(options, source, target, epochs, seed):
    folder = os.path.join(options.runs, "cross-%s-%s-%d" % (source, target, seed))
    if not os.path.exists(os.path.join(folder, "report.html")):
        command = [options.program, "train", os.path.join(common.ROOT, options.config), "--run", folder, "--seed", str(seed)]
        for change in ["split.protocol=cross", "data.corpus=ravdess+cremad", "split.train_corpus=" + source, "split.test_corpus=" + target,
                       "train.epochs=%d" % epochs, *options.set]:
            command += ["--set", change]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
            raise SystemExit("serene train failed")
    return common.serene(options, "evaluate", folder, "--standardise", "speaker", "--standardise", "corpus")


def main():
    parser = common.parser_of(__doc__, "cross_corpus")
    parser.add_argument("--config", default="configs/small.json")
    options = parser.parse_args()
    rows = []
    for source, target, epochs, goal, published in WAYS:
        results = [run(options, source, target, epochs, seed) for seed in range(1, options.seeds + 1)]
        row = {"from": source, "to": target, "epochs": epochs, "goal": goal, "published": published}
        for name, pick in COLUMNS.items():
            values = [pick(r)["uar"]["estimate"] for r in results]
            row[name] = {"mean": statistics.mean(values), "count": len(values), "deviation": statistics.stdev(values) if len(values) > 1 else None}
        rows.append(row)
    header = ["trained on", "tested on", *["UAR %, " + name for name in COLUMNS], "goal", "published", "seeds"]
    text = common.table(header, [[r["from"], r["to"], *[common.spread_text(r[name]) for name in COLUMNS], "%.0f" % r["goal"], r["published"],
                                  str(options.seeds)] for r in rows])
    common.keep(options, "cross_corpus", {"study": "cross_corpus", "config": options.config, "rows": rows}, text)


if __name__ == "__main__":
    main()
