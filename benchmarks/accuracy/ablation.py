#!/usr/bin/python3
"""What each trick of the recipe is worth on speakers never heard: every one taken out alone, and the plain recipe.

Differences are of the mean UAR over folds and seeds; their intervals resample speakers, the same ones on both sides.

    benchmarks/accuracy/ablation.py build/serene --seeds 1
"""
import chart
import common

CONFIG, PROTOCOL = "configs/small.json", "ravdess-luna5"
WITHOUT = [
    ("any augmentation", ["data.augment.probability=0"]),
    ("tempo", ["data.augment.tempo=[1,1]"]),
    ("shift of the bands", ["data.augment.mel_shift=0"]),
    ("gain and tilt", ["data.augment.gain_db=0", "data.augment.tilt_db=0"]),
    ("noise", ["data.augment.noise_probability=0"]),
    ("SpecAugment", ["data.augment.time_masks=0", "data.augment.frequency_masks=0"]),
    ("label smoothing", ["train.loss.label_smoothing=0"]),
    ("averaged weights", ["train.averaging.type=none"]),
    ("dropout", ["model.layers.drop.rate=0"]),
    ("one-cycle rate (constant)", ["train.schedule.type=constant", "train.optimizer.learning_rate=0.001"]),
    ("decoupled decay", ["train.optimizer.weight_decay=0"]),
    ("cutting silence", ["features.trim_top_db=null"]),
]


def main():
    parser = common.parser_of(__doc__, "ablation")
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("--only", default="", help="words of the rows to train, with commas")
    options = parser.parse_args()
    whole, folder = common.crossval(options, options.config, PROTOCOL)
    before = common.answers(folder, whole)
    rows = []
    for name, overrides in WITHOUT:
        if options.only and not any(word in name for word in options.only.split(",")):
            continue
        slug = "without-" + "".join(c if c.isalnum() else "-" for c in name.lower())
        summary, changed = common.crossval(options, options.config, PROTOCOL, overrides, slug)
        rows.append({"without": name, "set": overrides, "difference": common.paired(before, common.answers(changed, summary)),
                     **common.brief(summary)})
    rows.sort(key=lambda r: r["difference"]["estimate"])
    report = {"study": "ablation", "config": options.config, "protocol": PROTOCOL, "whole": common.brief(whole), "rows": rows}
    text = "Whole recipe: UAR %s %% (%d seeds)\n\n" % (common.spread_text(whole["uar"]), len(whole["seeds"]))
    text += common.table(["without", "UAR %", "change in points (95 %)"],
                         [[r["without"], common.spread_text(r["uar"]), common.signed_interval(r["difference"])] for r in rows])
    bars = [{"label": r["without"], "value": 100 * r["difference"]["estimate"], "low": 100 * r["difference"]["low"],
             "high": 100 * r["difference"]["high"], "text": "%+.1f" % (100 * r["difference"]["estimate"]),
             "style": "slow" if r["difference"]["estimate"] < 0 else "bar"} for r in rows]
    least = min([-10.0] + [b["low"] for b in bars])
    most = max([5.0] + [b["high"] for b in bars])
    picture = chart.bars("What the recipe loses without each part", "Points of UAR on RAVDESS, actors never heard; lines: 95 % intervals over speakers",
                         bars, least, most, "%+.0f", 0.0)
    common.keep(options, "ablation", report, text, picture)


if __name__ == "__main__":
    main()
