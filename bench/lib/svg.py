# SPDX-License-Identifier: MIT
"""svg.py - figures: grouped bars, and lines. Refuses to know what the numbers mean.

Every series has its own colour and appears in the legend; a bar that is missing says so.
"""
from xml.sax.saxutils import escape

OURS, OUR_COLOUR = "foggara", "#cc3311"
COLOURS = ["#4477aa", "#66ccee", "#ccbb44", "#aaaaaa", "#228833", "#aa3377", "#333333"]
WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 64, 56
INNER_W, INNER_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
FONT = 'font-family="sans-serif"'


def _text(x, y, text, anchor="middle", size=12, more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {FONT}{more}>'
            f"{escape(text)}</text>")


def _rect(x, y, w, h, colour, title=""):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{colour}">'
            f"<title>{escape(title)}</title></rect>")


def _line(x1, y1, x2, y2, colour="#ddd", more=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"'
            f"{more}/>")


def _round_up(value):
    """The axis ends at 1, 2, 2.5 or 5 times a power of ten."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * m for m in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if power * m >= value)


def _colour(series, i):
    return OUR_COLOUR if series[i] == OURS else COLOURS[i % len(COLOURS)]


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


class Figure:
    def __init__(self, title, unit, series, top):
        self.top = _round_up(top) if top > 0 else 1
        self.series = series
        self.parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
                      _text(LEFT, 22, title, "start", 16, ' font-weight="bold"')]
        for i in range(6):
            y = self.y(self.top * i / 5)
            self.parts += [_line(LEFT, y, WIDTH - RIGHT, y),
                           _text(LEFT - 6, y + 4, _number(self.top * i / 5), "end")]
        self.parts.append(_text(16, TOP + INNER_H / 2, unit,
                                more=f' transform="rotate(-90 16 {TOP + INNER_H / 2})"'))
        x = LEFT
        for i, name in enumerate(series):
            self.parts += [_rect(x, 34, 12, 12, _colour(series, i)),
                           _text(x + 16, 44, name, "start")]
            x += 32 + 7.2 * len(name)

    def y(self, value):
        return TOP + INNER_H * (1 - min(value, self.top) / self.top)

    def write(self, path):
        with open(path, "w") as f:
            f.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                    f'width="{WIDTH}" height="{HEIGHT}">\n' + "\n".join(self.parts) + "\n</svg>\n")


def bars(path, title, unit, groups, series, value, top=None, mark=None):
    """value(group, series) is a number or None; mark(group) a height to draw across the group; a
    bar over `top` is cut and carries its number."""
    known = [value(g, s) for g in groups for s in series]
    marks = [mark(g) for g in groups] if mark else []
    highest = max([v for v in known + marks if v is not None], default=0)
    figure = Figure(title, unit, series, min(top, highest) if top else highest)
    width = INNER_W / max(len(groups), 1)
    bar = width * 0.84 / max(len(series), 1)
    for i, group in enumerate(groups):
        left = LEFT + i * width + width * 0.08
        for k, name in enumerate(series):
            v, x = value(group, name), left + k * bar
            if v is None:
                figure.parts.append(_text(x + bar / 2, TOP + INNER_H - 3, "–", size=10))
                continue
            y = figure.y(v)
            figure.parts.append(_rect(x, y, bar * 0.94, TOP + INNER_H - y,
                                      _colour(series, k), f"{group} {name}: {_number(v)}"))
            if v > figure.top:
                figure.parts.append(_text(x + bar / 2, y - 3, _number(v), size=9))
        if marks:
            y = figure.y(marks[i])
            figure.parts.append(_line(left, y, left + width * 0.84, y, "#000",
                                      ' stroke-dasharray="4 2"'))
        figure.parts.append(_text(left + width * 0.42, HEIGHT - BOTTOM + 18, group))
    figure.write(path)


def lines(path, title, unit, x_unit, curves):
    """curves: {name: [(x, y), ...]}."""
    points = [p for curve in curves.values() for p in curve]
    figure = Figure(title, unit, list(curves), max([y for _, y in points], default=0))
    last = _round_up(max([x for x, _ in points], default=1) or 1)
    for i in range(11):
        x = LEFT + INNER_W * i / 10
        figure.parts.append(_text(x, HEIGHT - BOTTOM + 18, _number(last * i / 10)))
    figure.parts.append(_text(LEFT + INNER_W / 2, HEIGHT - 12, x_unit))
    for k, curve in enumerate(curves.values()):
        colour = _colour(list(curves), k)
        path_points = " ".join(f"{LEFT + INNER_W * x / last:.1f},{figure.y(y):.1f}"
                               for x, y in curve)
        figure.parts.append(f'<polyline points="{path_points}" fill="none" stroke-width="1.6" '
                            f'stroke="{colour}"/>')
    figure.write(path)
