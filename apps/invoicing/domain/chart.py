"""A bar a day, stacked by service, as inline SVG: numbers in, text out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from html import escape

WIDTH, HEIGHT = 680, 150
LEFT, RIGHT, TOP, BOTTOM = 52, 4, 22, 18
# Told apart in print without colour too: dark to light.
COLOURS = ("#12455f", "#3f8fb0", "#9cc9da", "#d9a441", "#b0b7bc", "#6d5b7b")
FONT = "DejaVu Sans, sans-serif"
MOST_DAYS = 62


def stacked_bars(
    days: Sequence[date],
    series: Sequence[tuple[str, Sequence[int]]],
    value_text: Callable[[int], str],
    day_text: Callable[[date], str],
) -> str:
    """An SVG element of bars: ``series`` has a name and a value (≥ 0) a day each. Empty text if all values are 0.

    Further series than there are colours share the last one's.
    """
    sums = [sum(values[index] for _, values in series) for index in range(len(days))]
    highest = max(sums, default=0)
    if highest <= 0:
        return ""
    top = nice_ceiling(highest)
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    step = plot_width / len(days)
    bar = round(step * 0.68, 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="{FONT}" font-size="8.5">'
    ]
    for quarter in (0, 2, 4):
        y = TOP + plot_height * (1 - quarter / 4)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{"#8a949a" if quarter == 0 else "#dde2e5"}" '
            f'stroke-width="0.7"/><text x="{LEFT - 6}" y="{y + 3:.1f}" text-anchor="end" fill="#55606a">'
            f"{escape(value_text(top * quarter // 4))}</text>"
        )
    base = [0.0] * len(days)
    for number, (_, values) in enumerate(series):
        path = []
        for index, value in enumerate(values):
            if value <= 0:
                continue
            height = plot_height * value / top
            x = LEFT + step * index + (step - bar) / 2
            y = TOP + plot_height - base[index] - height
            base[index] += height
            path.append(f"M{x:.1f} {y:.2f}h{bar:.1f}v{height:.2f}h-{bar:.1f}z")
        if path:
            parts.append(f'<path d="{"".join(path)}" fill="{_colour(number)}"/>')
    every = max(1, -(-len(days) // 11))
    for index in range(0, len(days), every):
        x = LEFT + step * (index + 0.5)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="middle" fill="#55606a">'
            f"{escape(day_text(days[index]))}</text>"
        )
    parts.append(_legend([name for name, _ in series]))
    parts.append("</svg>")
    return "".join(parts)


def days_between(first: date, last: date) -> list[date]:
    """Every day from the first to the last, both included; at most ``MOST_DAYS``, the latest ones."""
    count = min((last - first).days + 1, MOST_DAYS)
    return [last - timedelta(days=count - 1 - index) for index in range(count)]


def nice_ceiling(value: int) -> int:
    """The smallest of 1, 2, 4, 6, 8 × 10ⁿ that is not below ``value`` (> 0): halves of it are round as well."""
    magnitude = 1
    while magnitude * 10 < value:
        magnitude *= 10
    return next(m * magnitude for m in (1, 2, 4, 6, 8, 10) if m * magnitude >= value)


def _colour(number: int) -> str:
    return COLOURS[min(number, len(COLOURS) - 1)]


def _legend(names: Sequence[str]) -> str:
    parts, x = [], float(LEFT)
    for number, name in enumerate(names):
        parts.append(
            f'<path d="M{x:.1f} 4h8v8h-8z" fill="{_colour(number)}"/>'
            f'<text x="{x + 12:.1f}" y="11" fill="#333d44">{escape(name)}</text>'
        )
        x += 12 + 5.6 * len(name) + 18
    return "".join(parts)
