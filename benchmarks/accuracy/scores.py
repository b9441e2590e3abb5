#!/usr/bin/python3
"""The scores of README: every protocol with the configs of this repository, and ensembles of what was trained.

Each row is `serene crossval` (an ensemble: `serene crossval --combine`), nothing is chosen on its test speakers. Rows whose
folds are all there are read; the others are trained.

    benchmarks/accuracy/scores.py build/serene --only luna5
"""
import os

import chart
import common

# protocol, what is scored, configs (several: an ensemble of all their seeds), words of the table, goal (at least), published
ROWS = [
    ("ravdess-luna5", ["configs/model_strong_tuned.json"], "model_strong's layers", 62.5, "62.3 best from scratch"),
    ("ravdess-luna5", ["configs/small.json"], "small, 125 k parameters", 63.0, "62.3 with 47 k"),
    ("ravdess-luna5", ["configs/small.json", "configs/model_strong_tuned.json"], "ensemble of both, all seeds", 68.0, "76.6 with AudioSet"),
    ("ravdess-emobox6", ["configs/small.json"], "small", 66.0, "75.3 Whisper-large-v3"),
    ("random10", ["configs/small.json"], "small: **speaker-dependent**", 88.0, "84.2 clean"),
    ("cremad-hicmae5", ["configs/small.json"], "small", 65.0, "63 to 70 from scratch"),
]


def combined(options, folders, name):
    folder = os.path.join(options.runs, name)
    return common.serene(options, "crossval", "--combine", *folders, "--run", folder)


def score(options, protocol, configs):
    made = [common.crossval(options, config, protocol) for config in configs]
    if len(made) == 1:
        return made[0][0]
    stems = [os.path.splitext(os.path.basename(c))[0] for c in configs]
    return combined(options, [folder for _, folder in made], "-".join(["ensemble", protocol, *stems]))


def percent(v):
    return "%.1f" % (100 * v)


def row_text(r):
    figure = common.spread_text(r["uar"]) if not r["ensemble"] else percent(r["uar"]["mean"])
    speakers = r["speaker_uar"]
    return [r["protocol"], r["words"], figure, "%s to %s" % (percent(r["interval"]["low"]), percent(r["interval"]["high"])),
            common.spread_text(r["war"]), "%s / %s / %s" % tuple(percent(speakers[k]) for k in ("min", "median", "max")),
            "%+.1f" % (100 * r["sex_gap_uar"]), percent(r["ece"]["mean"]), "%d × %d" % (r["seeds"], r["folds"]), "%.1f" % r["goal"], r["published"]]


def main():
    parser = common.parser_of(__doc__, "scores")
    parser.add_argument("--only", default="", help="rows whose protocol or words hold this, with commas")
    options = parser.parse_args()
    rows = []
    for protocol, configs, words, goal, published in ROWS:
        if options.only and not any(part in protocol + " " + words for part in options.only.split(",")):
            continue
        summary = score(options, protocol, configs)
        rows.append({"protocol": protocol, "configs": configs, "words": words, "goal": goal, "published": published, "ensemble": len(configs) > 1,
                     **common.brief(summary)})
    header = ["protocol", "model", "UAR %", "95 % over speakers", "accuracy %", "speakers, min / median / max", "men − women", "ECE %", "seeds × folds",
              "goal", "published"]
    bars = [{"label": "%s, %s" % (r["protocol"], r["words"].replace("**", "")), "value": 100 * r["uar"]["mean"], "low": 100 * r["interval"]["low"],
             "high": 100 * r["interval"]["high"], "mark": r["goal"]} for r in rows]
    picture = chart.bars("Recall on speakers never heard", "Mean recall of the classes (UAR, %); lines: 95 % intervals over speakers; dashes: goals",
                         bars, 20.0, 100.0, "%g")
    common.keep(options, "scores", {"study": "scores", "rows": rows}, common.table(header, [row_text(r) for r in rows]), picture)


if __name__ == "__main__":
    main()
