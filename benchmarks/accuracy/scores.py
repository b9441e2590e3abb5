#!/usr/bin/python3
"""The scores of README: every protocol with the configs of this repository, and ensembles of what was trained.

Each row is `serene crossval` (an ensemble: `serene crossval --combine`), nothing is chosen on its test speakers. Rows whose
folds are all there are read; the others are trained.

    benchmarks/accuracy/scores.py build/serene --only luna5
"""
import os

import chart
import common

# protocol, configs, words of the table, goal (at least), published, whether the answers of all seeds and configs count as one, and most seeds
# (the large rows take hours: fewer than three are a first figure, and the table says how many)
TUNED, SMALL, JOINT = "configs/model_strong_tuned.json", "configs/small.json", "configs/pretrained/ravdess_cremad.json"
ROWS = [
    ("ravdess-luna5", [TUNED], "model_strong's layers", 62.5, "62.3 best from scratch", False, 3),
    ("ravdess-luna5", [SMALL], "small, 125 k parameters", 63.0, "62.3 with 47 k", False, 3),
    ("ravdess-luna5", [JOINT], "joint: CREMA-D heard too", 66.0, "76.6 with AudioSet", False, 1),
    ("ravdess-luna5", [SMALL, TUNED], "both, all seeds as one", 68.0, "76.6 with AudioSet", True, 3),
    ("ravdess-luna5", ["configs/robust.json"], "robust: noise, rooms and telephones heard", 62.5, "62.3 best from scratch", False, 1),
    ("ravdess-emobox6", [TUNED], "model_strong's layers", 66.0, "75.3 Whisper-large-v3", False, 1),
    ("cremad-hicmae5", ["configs/pretrained/cremad.json"], "model_strong's layers", 65.0, "63 to 70 from scratch", False, 1),
    ("random10", [TUNED], "model_strong's layers: **speaker-dependent**", 88.0, "84.2 clean", False, 1),
]


def combined(options, folders, name):
    folder = os.path.join(options.runs, name)
    return common.serene(options, "crossval", "--combine", *folders, "--run", folder)


def score(options, protocol, configs, seeds):
    """The summary; of several configs that of their models together, seed by seed."""
    made = [common.crossval(options, config, protocol, seeds=min(seeds, options.seeds)) for config in configs]
    if len(made) == 1:
        return made[0][0]
    stems = [os.path.splitext(os.path.basename(c))[0] for c in configs]
    return combined(options, [folder for _, folder in made], "-".join(["ensemble", protocol, *stems]))


def figures_of(summary, as_one):
    """What the table shows. Of seeds that count as one: their figures; speakers and intervals are those of single seeds and left out."""
    figures = common.brief(summary)
    if not as_one:
        return figures
    if "ensemble" not in summary:
        raise SystemExit("scores.py: error: several seeds are needed to count as one")
    one = summary["ensemble"]
    for key in ("uar", "war", "macro_f1", "ece"):
        figures[key] = {"mean": one[key], "count": 1, "deviation": None}
    return {**figures, "members": one["members"], "interval": None, "speaker_uar": None, "sex_gap_uar": None, "sexes": None, "recall": None,
            "confusion": None}


def percent(v):
    return "%.1f" % (100 * v)


def row_text(r):
    whole = r["interval"] is not None
    speakers = r["speaker_uar"]
    return [r["protocol"], r["words"], common.spread_text(r["uar"]),
            "%s to %s" % (percent(r["interval"]["low"]), percent(r["interval"]["high"])) if whole else "", common.spread_text(r["war"]),
            "%s / %s / %s" % tuple(percent(speakers[k]) for k in ("min", "median", "max")) if whole else "",
            "%+.1f" % (100 * r["sex_gap_uar"]) if whole else "", percent(r["pooled_ece"]) if whole else "", "%d × %d" % (r["seeds"], r["folds"]), "%.1f" % r["goal"],
            r["published"]]


def main():
    parser = common.parser_of(__doc__, "scores")
    parser.add_argument("--only", default="", help="rows whose protocol or words hold this, with commas")
    options = parser.parse_args()
    rows = []
    for protocol, configs, words, goal, published, as_one, seeds in ROWS:
        if options.only and not any(part in protocol + " " + words for part in options.only.split(",")):
            continue
        rows.append({"protocol": protocol, "configs": configs, "words": words, "goal": goal, "published": published, "as_one": as_one,
                     **figures_of(score(options, protocol, configs, seeds), as_one)})
    header = ["protocol", "model", "UAR %", "95 % over speakers", "accuracy %", "speakers, min / median / max", "men − women", "ECE %, all clips", "seeds × folds",
              "goal", "published"]
    bars = []
    for r in rows:
        value = 100 * r["uar"]["mean"]
        ends = r["interval"] or {"low": r["uar"]["mean"], "high": r["uar"]["mean"]}
        bars.append({"label": "%s, %s" % (r["protocol"], r["words"].replace("**", "")), "value": value, "low": 100 * ends["low"],
                     "high": 100 * ends["high"], "mark": r["goal"]})
    picture = chart.bars("Recall on speakers never heard", "Mean recall of the classes (UAR, %); lines: 95 % intervals over speakers; dashes: goals",
                         bars, 20.0, 100.0, "%g")
    common.keep(options, "scores", {"study": "scores", "rows": rows}, common.table(header, [row_text(r) for r in rows]), picture)


if __name__ == "__main__":
    main()
