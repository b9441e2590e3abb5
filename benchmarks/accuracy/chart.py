"""Bars with intervals and lines, as plain SVG, readable on light and dark pages."""
import common  # noqa: F401  (puts benchmarks/ on the path)
from suite import picture

WIDTH, LEFT, RIGHT, STEP = 860, 330, 90, 26


def page(title, note, body, height):
    head = [picture.text(20, 28, title, "title"), picture.text(20, 46, note, "soft")]
    return ('<svg xmlns="http://www.w3.org/2000/svg" class="p" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">'
            '<style>%s</style><rect class="page" width="%d" height="%d"/>\n%s\n</svg>\n' %
            (WIDTH, height, WIDTH, height, title, picture.STYLE, WIDTH, height, "\n".join(head + body)))


def bars(title, note, rows, low, high, unit="%g", zero=None):
    """rows: {"label", "value", "low", "high", "mark" (None or where others stand), "style" ("bar" or "slow")}. zero: where bars start."""
    x = lambda v: LEFT + (WIDTH - LEFT - RIGHT) * (min(max(v, low), high) - low) / (high - low)  # noqa: E731
    start, top = low if zero is None else zero, 66
    bottom = top + STEP * len(rows)
    body = []
    for i in range(6):
        v = low + (high - low) * i / 5
        body += [picture.line(x(v), top, x(v), bottom, "grid"), picture.text(x(v), bottom + 16, unit % v, "soft", "middle")]
    for i, r in enumerate(rows):
        y = top + STEP * i + 5
        body.append(picture.text(LEFT - 10, y + 12, r["label"], "", "end"))
        body.append('<rect x="%.1f" y="%.1f" width="%.1f" height="15" class="%s"/>' %
                    (min(x(start), x(r["value"])), y, max(abs(x(r["value"]) - x(start)), 1), r.get("style", "bar")))
        body.append(picture.line(x(r["low"]), y + 7.5, x(r["high"]), y + 7.5, "range"))
        if r.get("mark") is not None:
            body.append(picture.line(x(r["mark"]), y - 3, x(r["mark"]), y + 18, "goal"))
        body.append(picture.text(max(x(r["high"]), x(r["value"]), x(start), x(r.get("mark") or low)) + 6, y + 12, r.get("text", "%.1f" % r["value"])))
    return page(title, note, body, bottom + 32)
