#!/usr/bin/python3
"""What is left of the scores in noise, in rooms and over the telephone: the kept models of a cross-validation hear their
test clips again, changed. Nothing is trained; differences resample speakers, the same ones on both sides.

    benchmarks/accuracy/robustness.py build/serene
"""
import chart
import common

CONDITIONS = ["white:20", "white:10", "white:0", "pink:20", "pink:10", "pink:0", "babble:20", "babble:10", "babble:0", "room:0.3", "room:0.8",
              "rate:8000", "telephone", "telephone-band", "telephone+loss:0.02", "telephone+loss:0.1", "babble:10+room:0.5+telephone"]


def main():
    parser = common.parser_of(__doc__, "robustness")
    parser.add_argument("--config", default="configs/small.json")
    parser.add_argument("--protocol", default="ravdess-luna5")
    options = parser.parse_args()
    _, folder = common.crossval(options, options.config, options.protocol)
    arguments = ["evaluate", folder]
    for condition in CONDITIONS:
        arguments += ["--condition", condition]
    result = common.serene(options, *arguments)
    rows = [{k: r[k] for k in ("name", "uar", "war", "ece", "uar_difference")} for r in result["conditions"]]
    report = {"study": "robustness", "config": options.config, "protocol": options.protocol, "clean": common.brief(result), "rows": rows}
    text = "Clean: UAR %s %%\n\n" % common.spread_text(result["uar"])
    text += common.table(["condition", "UAR %", "change in points (95 %)", "ECE %"],
                         [[r["name"], "%.1f" % (100 * r["uar"]), common.signed_interval(r["uar_difference"]), "%.1f" % (100 * r["ece"])] for r in rows])
    bars = [{"label": r["name"], "value": 100 * r["uar_difference"]["estimate"], "low": 100 * r["uar_difference"]["low"],
             "high": 100 * r["uar_difference"]["high"], "text": "%+.1f" % (100 * r["uar_difference"]["estimate"]), "style": "slow"} for r in rows]
    picture = chart.bars("What noise, rooms and telephones cost", "Points of UAR on RAVDESS, actors never heard; lines: 95 % intervals over speakers",
                         bars, min(-5.0, min(b["low"] for b in bars)), max(2.0, max(b["high"] for b in bars)), "%+.0f", 0.0)
    common.keep(options, "robustness", report, text, picture)


if __name__ == "__main__":
    main()
