"""The picture: how many times as fast serene is, and how it grows. Plain SVG, readable on light and dark pages."""
import html
import math

STYLE = """
.p text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',Arial,sans-serif;font-size:12px;fill:#24292f}
.p .title{font-size:15px;font-weight:600}.p .soft{fill:#57606a;font-size:11px}.p .page{fill:#fff}
.p .bar{fill:#0072b2}.p .slow{fill:#d55e00}.p .range,.p .goal{stroke:#24292f;fill:none}.p .goal{stroke-width:2;stroke-dasharray:3 2}
.p .grid{stroke:#d8dee4}.p .one{stroke:#57606a}.p .a{stroke:#0072b2;fill:none;stroke-width:2}.p .b{stroke:#d55e00;fill:none;stroke-width:2}
.p .fa{fill:#0072b2}.p .fb{fill:#d55e00}
@media (prefers-color-scheme:dark){.p text{fill:#e6edf3}.p .soft{fill:#a5afba}.p .page{fill:#161b22}.p .bar,.p .fa{fill:#56b4e9}
.p .slow,.p .fb{fill:#ff8a3d}.p .range,.p .goal{stroke:#e6edf3}.p .grid{stroke:#30363d}.p .one{stroke:#a5afba}.p .a{stroke:#56b4e9}
.p .b{stroke:#ff8a3d}}
"""
WIDTH, LEFT, RIGHT, STEP = 860, 420, 70, 24


def text(x, y, words, style="", anchor="start"):
    kind = ' class="%s"' % style if style else ""
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (x, y, anchor, kind, html.escape(words))


def line(x1, y1, x2, y2, style):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>' % (x1, y1, x2, y2, style)


def ticks(least, most):
    return [t for t in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if least <= t <= most]


def ratio_bars(rows, top):
    """Bars on a logarithmic axis that start at 1: to the right serene is faster."""
    least = min([0.5] + [r["ratio"]["min"] for r in rows])
    most = max([2.0] + [r["ratio"]["max"] for r in rows] + [r["goal"][1] for r in rows if r["goal"]]) * 1.1
    x = lambda v: LEFT + (WIDTH - LEFT - RIGHT) * math.log(v / least) / math.log(most / least)  # noqa: E731
    bottom = top + STEP * len(rows)
    out = []
    for t in ticks(least, most):
        out.append(line(x(t), top, x(t), bottom, "one" if t == 1 else "grid"))
        out.append(text(x(t), bottom + 16, "%g×" % t, "soft", "middle"))
    for i, r in enumerate(rows):
        y, value = top + STEP * i + 5, r["ratio"]["median"]
        label = "%s · %s" % (r["work"], r["against"])
        out.append(text(LEFT - 10, y + 12, label, "", "end"))
        out.append('<rect x="%.1f" y="%.1f" width="%.1f" height="14" class="%s"/>' %
                   (min(x(1), x(value)), y, max(abs(x(value) - x(1)), 1), "bar" if value >= 1 else "slow"))
        out.append(line(x(r["ratio"]["min"]), y + 7, x(r["ratio"]["max"]), y + 7, "range"))
        if r["goal"]:
            out.append(line(x(r["goal"][1]), y - 3, x(r["goal"][1]), y + 17, "goal"))
        end = max(r["ratio"]["max"], 1, r["goal"][1] if r["goal"] else 0)
        out.append(text(x(end) + 6, y + 12, "%.2f" % value))
    return out, bottom + 30


def panel(left, top, width, height, title, series, names, unit):
    """A small chart, both axes logarithmic. series: [(style, [(x, y)])]."""
    xs, ys = [p[0] for _, s in series for p in s], [p[1] for _, s in series for p in s]
    low, high = min(ys) / 1.3, max(ys) * 1.3
    at_x = lambda v: left + width * math.log(v / min(xs)) / math.log(max(xs) / min(xs))  # noqa: E731
    at_y = lambda v: top + height * (1 - math.log(v / low) / math.log(high / low))  # noqa: E731
    out = [text(left, top - 10, title)]
    for v in sorted({p[0] for _, s in series for p in s}):
        out += [line(at_x(v), top, at_x(v), top + height, "grid"), text(at_x(v), top + height + 15, "%g" % v, "soft", "middle")]
    for (style, points), name in zip(series, names):
        out.append('<polyline class="%s" points="%s"/>' % (style, " ".join("%.1f,%.1f" % (at_x(a), at_y(b)) for a, b in points)))
        for i, (a, b) in enumerate(points):
            out.append('<circle cx="%.1f" cy="%.1f" r="3" class="f%s"/>' % (at_x(a), at_y(b), style))
            if i in (0, len(points) // 2, len(points) - 1):
                words = ("%.0f" if b >= 100 else "%.2g" if b < 10 else "%.1f") % b
                out.append(text(at_x(a), at_y(b) - 8, words, "soft", "start" if i == 0 else "end" if i == len(points) - 1 else "middle"))
        if len(series) > 1:
            out.append(text(left + width, at_y(points[-1][1]) + 18, name, "soft", "end"))
    out.append(text(left, top + height + 31, unit, "soft"))
    return out


def growth_panels(growth, top):
    frames = [(p["frames"], p["inference_ms"]) for p in growth["frames"]]
    batch = [(p["batch"], p["inference_per_s"]["median"]) for p in growth["batch"]]
    steps = [(p["batch"], p["training_per_s"]["median"]) for p in growth["batch"] if p["training_per_s"]]
    width = (WIDTH - 120) / 2
    return (panel(30, top + 24, width, 130, "Milliseconds for one clip, by its frames", [("a", frames)], ["inference"], "frames") +
            panel(90 + width, top + 24, width, 130, "Samples a second on one thread, by batch", [("a", batch), ("b", steps)],
                  ["inference", "training"], "samples in a batch")), top + 215


def svg(report):
    body, y = [text(20, 28, "How many times as fast as the others", "title")], 52
    rows = [r for r in report["rows"] if r["ratio"] and r["group"] not in ("memory", "start", "native")]
    body.append(text(20, y - 6, "Ratios of interleaved rounds; thin lines show their range, dashed lines the goals.", "soft"))
    y += 8
    if rows:
        bars, y = ratio_bars(rows, y)
        body += bars
    if report.get("growth"):
        panels, y = growth_panels(report["growth"], y)
        body += panels
    body.append(text(20, y + 6, "%s, %d cores" % (report["machine"]["cpu"], report["machine"]["cores"]), "soft"))
    y += 20
    return ('<svg xmlns="http://www.w3.org/2000/svg" class="p" viewBox="0 0 %d %d" width="%d" height="%d" role="img" '
            'aria-label="Speed of serene against PyTorch, libtorch and ONNX Runtime"><style>%s</style>'
            '<rect class="page" width="%d" height="%d"/>\n%s\n</svg>\n' %
            (WIDTH, y, WIDTH, y, STYLE, WIDTH, y, "\n".join(body)))
