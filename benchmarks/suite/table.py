"""The Markdown that goes into README.md, from the JSON of a run."""


def digits(value):
    return 0 if value >= 100 else 1 if value >= 10 else 2


def number(value):
    return "%.*f" % (digits(abs(value)), value)


def with_range(s):
    low, high = number(s["min"]), number(s["max"])
    return number(s["median"]) if low == high else "%s (%s–%s)" % (number(s["median"]), low, high)


def goal_text(row):
    if not row["goal"]:
        return ""
    sign, limit = row["goal"]
    unit = "×" if row["ratio"] or row["unit"] == "x" else " " + row["unit"]
    text = "%s %s%s" % ("≥" if sign == ">=" else "≤", ("%.2f" % limit).rstrip("0").rstrip("."), unit)
    return text + (" ✓" if row["reached"] else " ✗")


def unit_text(row):
    return "×" if row["unit"] == "x" else " " + row["unit"]


def comparison(rows):
    lines = ["| work | serene | against | its figure | serene is × as good | goal |", "|---|---|---|---|---|---|"]
    for r in rows:
        lines.append("| %s | %s%s | %s | %s | %s | %s |" % (
            r["work"], with_range(r["serene"]), unit_text(r), r["against"],
            with_range(r["peer"]) + unit_text(r) if r["peer"] else "", "**%s**" % with_range(r["ratio"]) if r["ratio"] else "",
            goal_text(r)))
    return lines


def growth(g):
    lines = ["| frames of a clip | " + " | ".join(str(p["frames"]) for p in g["frames"]) + " |",
             "|---" * (len(g["frames"]) + 1) + "|",
             "| inference, batch 1, ms | " + " | ".join(number(p["inference_ms"]) for p in g["frames"]) + " |", "",
             "| batch | " + " | ".join(str(p["batch"]) for p in g["batch"]) + " |", "|---" * (len(g["batch"]) + 1) + "|",
             "| inference, samples/s | " + " | ".join(number(p["inference_per_s"]["median"]) for p in g["batch"]) + " |",
             "| training, samples/s | " + " | ".join(number(p["training_per_s"]["median"]) if p["training_per_s"] else ""
                                                     for p in g["batch"]) + " |", ""]
    lines += ["| batch 64 | threads | samples/s |", "|---|---|---|"]
    lines += ["| %s | %d | %s |" % (p["work"], p["threads"], with_range(p["samples_per_s"])) for p in g["threads"]]
    return lines


def layers(report):
    lines = ["| layer | forward ms | GFLOP/s | share of the peak | backward ms | GFLOP/s | share of the peak |",
             "|---|---|---|---|---|---|---|"]
    peak = report["peak_gflops"]
    for layer in report["layers"]:
        cells = []
        for way in ("forward", "backward"):
            rate = layer[way + "_gflops"]
            cells += [number(1e3 * layer[way]["median_s"]), number(rate) if rate else "", "%.0f %%" % (100 * rate / peak) if rate else ""]
        lines.append("| %s | %s |" % (layer["layer"], " | ".join(cells)))
    return lines


def machine_line(machine):
    peers = ["%s %s" % (name, version) for name, version in machine["peers"].items() if version]
    return "%s, %d cores, kernels %s, %s; %s. Load average %.1f at the start." % (
        machine["cpu"], machine["cores"], machine["kernels"], machine["compiler"], ", ".join(peers) or "no peers",
        machine["load_average"])


def markdown(report):
    lines = [machine_line(report["machine"]),
             "Medians of %d rounds in turn, with their range; `%s`." % (report["rounds"], report["command"]), ""]
    if report["rows"]:
        lines += comparison(report["rows"]) + [""]
    for name, form in (("growth", growth), ("layers", layers)):
        if report.get(name):
            lines += form(report[name]) + [""]
    lines += ["Not measured: %s." % "; ".join(report["skipped"]), ""] if report["skipped"] else []
    return "\n".join(lines)


def goals(reports):
    """The rows that have a goal, one column for each machine that was measured."""
    rows = {}
    for place, report in enumerate(reports):
        for r in report["rows"]:
            if r["goal"]:
                rows.setdefault((r["work"], r["against"], goal_text(r)[:-2]), {})[place] = r
    names = [r["machine"]["cpu"].replace("(R)", "").split(" Processor")[0] for r in reports]
    lines = ["| work | against | goal | " + " | ".join(names) + " |", "|---|---|---|" + "---|" * len(names)]
    for (work, against, goal), by_place in rows.items():
        cells = []
        for place in range(len(reports)):
            r = by_place.get(place)
            cells.append("" if r is None else "%s%s %s" % (with_range(r["ratio"] or r["serene"]), "×" if r["ratio"] else unit_text(r),
                                                           "✓" if r["reached"] else "✗"))
        lines.append("| %s | %s | %s | %s |" % (work, against, goal, " | ".join(cells)))
    return "\n".join(lines) + "\n"
