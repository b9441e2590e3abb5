#!/usr/bin/python3
"""The leak, measured cleanly: copies of the clips made before or after the split, over random clips or whole speakers.

The four cells differ in nothing else; the same recipe trains on the same three rows a clip (as it is, with noise,
stretched and pitched). Only "after the split, whole speakers" says anything about a new voice.

    benchmarks/accuracy/leak.py build/serene --seeds 1
"""
import common

CONFIG = "configs/model_strong.json"
CELLS = [("before_split", "random10"), ("after_split", "random10"), ("before_split", "ravdess-luna5"), ("after_split", "ravdess-luna5")]
WORDS = {"before_split": "copies before the split", "after_split": "copies after the split", "random10": "random clips", "ravdess-luna5": "whole speakers"}


def main():
    parser = common.parser_of(__doc__, "leak")
    parser.add_argument("--config", default=CONFIG)
    options = parser.parse_args()
    cells = {}
    for copies, protocol in CELLS:
        overrides = ["data.copies=" + copies] + (["split.folds=5"] if protocol == "random10" else [])
        summary, _ = common.crossval(options, options.config, protocol, overrides, copies)
        cells[copies, protocol] = common.brief(summary)
    report = {"study": "leak", "config": options.config, "cells": [{"copies": c, "protocol": p, **figures} for (c, p), figures in cells.items()]}
    rows = []
    for protocol in ("random10", "ravdess-luna5"):
        row = [WORDS[protocol]]
        for copies in ("before_split", "after_split"):
            cell = cells[copies, protocol]
            row.append(common.spread_text(cell["uar"]) + (" **LEAKY**" if cell["leaky"] else ""))
        rows.append(row)
    common.keep(options, "leak", report, common.table(["UAR %", WORDS["before_split"], WORDS["after_split"]], rows))


if __name__ == "__main__":
    main()
