"""Charts of admin pages, as Chart.js (which unfold brings along) takes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

# Distinct in light and dark, and to colour-blind eyes.
PALETTE = ("#2563eb", "#0d9488", "#f59e0b", "#a855f7", "#ef4444", "#64748b", "#84cc16", "#ec4899")
QUIET = "#9ca3af"


def in_lines(text: str) -> str | list[str]:
    """A long text as the list of its words, which is drawn as lines."""
    return text.split() if len(text) > 14 else text


def day_labels(days: Sequence[date]) -> list[str]:
    """``31 Jan`` for each."""
    return [f"{day:%d} {day:%b}" for day in days]


def bars(label: str, values: Sequence[float], colour: int) -> dict[str, Any]:
    """A set of bars; ``colour`` is a place in the palette."""
    return {
        "label": label,
        "data": list(values),
        "backgroundColor": PALETTE[colour % len(PALETTE)],
        "borderRadius": 2,
        "maxBarThickness": 28,
    }


def chart(
    key: str,
    title: str,
    kind: str,
    labels: Sequence[str | list[str]],
    sets: list[dict[str, Any]],
    *,
    url: str,
    link: str,
    span: int,
    stacked: bool = False,
    horizontal: bool = False,
    empty: str = "Nothing yet.",
) -> dict[str, Any]:
    """What ``templates/admin/backoffice/chart.html`` draws; ``span`` is its width in twelfths of the page."""
    options: dict[str, Any] = {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "plugins": {
            "legend": {
                "display": kind == "doughnut" or len(sets) > 1,
                "position": "bottom",
                "labels": {"color": QUIET, "usePointStyle": True, "boxHeight": 6, "boxWidth": 6},
            },
        },
    }
    if kind == "doughnut":
        options["cutout"] = "68%"
    else:
        if horizontal:
            options["indexAxis"] = "y"
        numbers = {
            "beginAtZero": True,
            "ticks": {"color": QUIET, "maxTicksLimit": 6},
            "grid": {"tickWidth": 0},
        }
        names = {
            "ticks": {"color": QUIET, "autoSkip": not horizontal, "maxRotation": 0},
            "grid": {"display": False},
        }
        options["scales"] = {"y": names, "x": numbers} if horizontal else {"x": names, "y": numbers}
        for axis in options["scales"].values():
            axis["stacked"] = stacked
            axis["border"] = {"width": 0}
    return {
        "key": key,
        "title": title,
        "kind": kind,
        "data": json.dumps({"labels": labels, "datasets": sets}) if sets else "",
        "options": json.dumps(options),
        "url": url,
        "link": link,
        "span": span,
        "empty": empty,
    }
