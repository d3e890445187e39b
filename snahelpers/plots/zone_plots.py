"""Figures over the three zones of baseline P; part of `plots`."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snahelpers.plots.style import BLUE, CYCLE, GREEN, GREY, ORANGE, PINK, WIDTH, YELLOW, axes
from snahelpers.zones import HIGH, LOW

COLOURS = {1: YELLOW, 2: PINK, 3: GREEN}  # of the zones


def shade_zones(ax: Axes, lowest: float = 1e-4, low: float = LOW, high: float = HIGH) -> None:
    """Tint the three zones of baseline P along a logarithmic x axis (section 4)."""
    ax.set_xscale("log")
    ax.set_xlim(lowest, 1.0)
    edges = [lowest, max(low, lowest), max(high, lowest), 1.0]
    for zone, left, right in zip(COLOURS, edges[:-1], edges[1:], strict=True):
        ax.axvspan(left, right, color=COLOURS[zone], alpha=0.13, lw=0)
        label = f"Zone {zone}" if right > 3 * left else str(zone) if right > left else ""
        middle = np.sqrt(left * right)
        ax.text(middle, 1.0, label, transform=ax.get_xaxis_transform(), ha="center", va="top")


def confidence_and_gain(
    frame: pd.DataFrame, y: str, *, title: str, ylabel: str, low: float = LOW, high: float = HIGH,
    ceiling: bool = False,
) -> Figure:  # fmt: skip
    """Each task by its baseline P and its gain, over the zones (the paper's Figure 1).

    Args:
        frame: Columns domain, difficulty, p_base and `y`; one row a task.
        y: The column with the gain.
        title: What is shown.
        ylabel: The gain and its unit.
        low: Edge of zones 1 and 2.
        high: Edge of zones 2 and 3.
        ceiling: Draw the largest gain in per cent that any method can have, 100 (1 - P) / P; the
            gain's axis is then logarithmic above 10 %.
    """
    ax = axes(title, "baseline P of the correct token (log scale)", ylabel, size=(WIDTH, 4.2))
    lowest = min(10 ** np.floor(np.log10(frame.p_base.min())), 1e-2)
    shade_zones(ax, lowest, low, high)
    shapes = dict(zip(frame.difficulty.unique(), cycle("osD^v"), strict=False))
    for colour, (domain, part) in zip(cycle(CYCLE), frame.groupby("domain", sort=False)):
        for difficulty, points in part.groupby("difficulty", sort=False):
            ax.scatter(
                points.p_base, points[y], s=46, color=colour, marker=shapes[difficulty], ec="black",
                lw=0.6, zorder=3, clip_on=False, label=f"{domain}, {difficulty}",
            )  # fmt: skip
    ax.axhline(0, color="black", lw=0.8)
    if ceiling:
        p = np.geomspace(lowest, 0.999, 200)
        ax.plot(p, 100 * (1 - p) / p, color="black", ls="--", label="ceiling: P = 1")
        ax.set_yscale("symlog", linthresh=10)
    ax.margins(y=0.12)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax.figure


def dumbbells(frame: pd.DataFrame, title: str) -> Figure:
    """One line a task from its baseline P to its P under amplification, over the three zones.

    Args:
        frame: Columns task, before, after (mean P of the correct token), drawn top to bottom.
        title: What was done to each task.
    """
    size = (WIDTH, 0.3 * len(frame) + 1.3)
    ax = axes(title, "mean P of the correct token (log scale)", "", size=size)
    p = frame[["before", "after"]].clip(lower=1e-12)  # a P that underflows has no logarithm
    shade_zones(ax, min(10 ** np.floor(np.log10(p.to_numpy().min())), 1e-2))
    rows = np.arange(len(frame))
    ax.hlines(rows, p.before, p.after, color=GREY, lw=2)
    for column, colour in {"before": "white", "after": ORANGE}.items():
        ax.scatter(
            p[column], rows, color=colour, ec="black", s=45, zorder=3, label=column, clip_on=False
        )
    ax.set_yticks(rows, frame.task)
    ax.invert_yaxis()
    ax.margins(y=0.08)
    ax.legend(loc="lower left", frameon=False)
    return ax.figure


def margins(frame: pd.DataFrame, title: str) -> Figure:
    """Each review by its signed margin before and after; what crosses the line is answered anew.

    Args:
        frame: Columns before and after (log P(positive) - log P(negative)) and label, one row a
            review.
        title: What happened in between.
    """
    ax = axes(title, "before: (P(positive) − P(negative)) / their sum", "after", size=(WIDTH, 4.4))
    for label, colour, marker in (("positive", ORANGE, "o"), ("negative", BLUE, "s")):
        x, y = np.tanh(frame.loc[frame.label == label, ["before", "after"]].to_numpy() / 2).T
        ax.scatter(x, y, s=18, color=colour, marker=marker, alpha=0.7, label=f"is {label}")
    for zone, low, high in ((1, -0.3, 0.3), (2, 0.3, 0.6), (2, -0.6, -0.3), (3, 0.6, 1.05),
                            (3, -1.05, -0.6)):  # fmt: skip
        ax.axvspan(low, high, color=COLOURS[zone], alpha=0.13, lw=0)
        place = dict(transform=ax.get_xaxis_transform(), ha="center", va="top")
        ax.text((low + high) / 2, 1.0, f"Zone {zone}", **place)
    ax.axline((0, 0), slope=1, color="black", ls=":", lw=1)
    ax.axhline(0, color="black", lw=1.4)
    ax.text(1.07, 0.03, "positive ↑", va="bottom", fontsize=9)
    ax.text(1.07, -0.03, "negative ↓", va="top", fontsize=9)
    ax.set(xlim=(-1.05, 1.05), ylim=(-1.08, 1.2))
    ax.legend(loc="lower right", frameon=False)
    return ax.figure


def paper_claim() -> Figure:
    """The three-zone claim drawn from the paper's own numbers (sections 4.2 to 4.4)."""
    ax = axes(
        "What the paper reports for GPT-2 Medium",
        "baseline P of the correct token (log scale)", "improvement of P (%)", size=(WIDTH, 3.2),
    )  # fmt: skip
    shade_zones(ax, 1e-3)
    ax.hlines(27.85, 1e-3, 0.07, color=ORANGE)
    ax.text(1.2e-3, 31, "mean of Zone 1: +27.85 %", color=ORANGE)
    ax.text(1.2e-3, 73, "best configuration: +70.3 %", color=ORANGE)
    ax.hlines(70.3, 1e-3, 0.07, color=ORANGE, ls="--")
    ax.text(0.084, 36, "un-\nstable", ha="center", fontsize=9)
    ax.hlines(8, 0.10, 1.0, color=ORANGE)
    ax.text(0.32, 11, "below 8 %", ha="center", color=ORANGE)
    ax.set_ylim(0, 95)
    return ax.figure
