"""Figures of any table: lines, points, bars, a heat map, peaks."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from snahelpers.plots.style import CYCLE, GREY, ORANGE, WIDTH, axes


def lines(
    frame: pd.DataFrame, x: str, y: str, by: str, *, title: str, xlabel: str, ylabel: str,
    mark: float | None = None,
) -> Figure:  # fmt: skip
    """One line for each value of column `by`; with columns low and high, a band around it.

    Args:
        frame: Tidy, one row a point.
        x: Column along the horizontal axis.
        y: Column along the vertical axis.
        by: Column that tells the lines apart.
        title: What is shown.
        xlabel: Label of the horizontal axis.
        ylabel: Label of the vertical axis.
        mark: Where to draw a dotted vertical line, if anywhere.
    """
    ax = axes(title, xlabel, ylabel)
    for name, part in frame.groupby(by, sort=False):
        [line] = ax.plot(part[x], part[y], marker="o", ms=4, label=name)
        if {"low", "high"} <= set(frame.columns):
            ax.fill_between(part[x], part.low, part.high, color=line.get_color(), alpha=0.2, lw=0)
    if mark is not None:
        ax.axvline(mark, color="black", ls=":", lw=1)
    if frame[by].nunique() > 1:
        ax.legend(frameon=False)
    return ax.figure


def scatter(
    frame: pd.DataFrame, x: str, y: str, *, highlight: Sequence[bool], title: str, xlabel: str,
    ylabel: str, label: str,
) -> Figure:  # fmt: skip
    """Points, those in `highlight` coloured and named by `label`, with the diagonal x = y."""
    ax = axes(title, xlabel, ylabel, size=(5.6, 4.2))
    chosen = np.asarray(highlight)
    ax.scatter(frame[x][~chosen], frame[y][~chosen], color=GREY, s=12, alpha=0.6)
    ax.scatter(frame[x][chosen], frame[y][chosen], color=ORANGE, s=36, ec="black", label=label)
    ax.axline((0, 0), slope=1, color="black", ls=":", lw=1)
    ax.legend(frameon=False)
    return ax.figure


def scores_by_layer(frame: pd.DataFrame, *, title: str, ylabel: str, label: str) -> Figure:
    """Every neuron's score as a dot in its layer's column, the chosen ones coloured.

    Args:
        frame: Columns layer, score, chosen; one row a neuron.
        title: What is shown.
        ylabel: The score and its unit.
        label: What the chosen neurons are.
    """
    ax = axes(title, "layer", ylabel)
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(frame))
    x = frame.layer.to_numpy() + jitter
    chosen = frame.chosen.to_numpy()
    ax.scatter(x[~chosen], frame.score[~chosen], s=3, color=GREY, alpha=0.5, rasterized=True)
    ax.scatter(x[chosen], frame.score[chosen], s=26, color=ORANGE, ec="black", lw=0.6, label=label)
    ax.axhline(0, color="black", lw=0.8)
    ax.set_xticks(sorted(frame.layer.unique()))
    ax.legend(loc="lower left", frameon=False)
    return ax.figure


def bars(
    frame: pd.DataFrame, x: str, y: str, *, by: str | None = None, highlight: Iterable = (),
    title: str, xlabel: str, ylabel: str,
) -> Figure:  # fmt: skip
    """One bar a row, a group for each `x`; coloured by `by`, or where `x` is in `highlight`."""
    ax = axes(title, xlabel, ylabel)
    names = list(dict.fromkeys(frame[x]))
    groups = list(frame.groupby(by, sort=False)) if by else [("", frame)]
    width = 0.8 / len(groups)
    for i, (name, part) in enumerate(groups):
        places = np.array([names.index(value) for value in part[x]])
        colour = CYCLE[i] if by else [ORANGE if v in set(highlight) else GREY for v in part[x]]
        shift = (i - (len(groups) - 1) / 2) * width
        ax.bar(places + shift, part[y], width, color=colour, label=name)
    ax.set_xticks(range(len(names)), names)
    ax.axhline(0, color="black", lw=0.8)
    if by:
        ax.legend(frameon=False)
    return ax.figure


def heatmap(
    frame: pd.DataFrame, x: str, y: str, value: str, *, title: str, xlabel: str, label: str,
    marks: Iterable[tuple] = (),
) -> Figure:  # fmt: skip
    """A cell for each x and y, blue below zero and orange above; column and row order as found.

    Args:
        frame: One row a cell.
        x: Column along the horizontal axis.
        y: Column down the vertical axis.
        value: Column that the colour shows.
        title: What is shown.
        xlabel: Label of the horizontal axis.
        label: What the colour means, and its unit.
        marks: Cells (x, y) to ring.
    """
    rows, columns = list(dict.fromkeys(frame[y])), list(dict.fromkeys(frame[x]))
    table = frame.pivot(index=y, columns=x, values=value).loc[rows, columns]
    ax = axes(title, xlabel, "", size=(WIDTH, 0.28 * len(rows) + 1.4))
    most = np.nanmax(np.abs(table.to_numpy())) or 1.0
    image = ax.pcolormesh(table, cmap="PuOr_r", vmin=-most, vmax=most, rasterized=True)
    ax.set_xticks(np.arange(len(columns)) + 0.5, [_short(c) for c in columns])
    ax.set_yticks(np.arange(len(rows)) + 0.5, [_short(r) for r in rows])
    for column, row in marks:
        place = (columns.index(column) + 0.5, rows.index(row) + 0.5)
        ax.plot(*place, marker="o", ms=11, mfc="none", mec="black", mew=1.6)
    ax.invert_yaxis()
    ax.figure.colorbar(image, ax=ax, label=label, pad=0.02)
    return ax.figure


def peaks(frame: pd.DataFrame, y: str, *, by: str | None = None, title: str) -> Figure:
    """A dot at each peak's relative depth with its interval; a cross where the paper puts it.

    Args:
        frame: Columns `y`, depth, low and high, from 0 (first layer) to 1 (last); perhaps paper.
        y: Column that names the rows.
        by: Column that tells several dots in one row apart.
        title: What is shown.
    """
    names = list(dict.fromkeys(frame[y]))
    ax = axes(
        title, "relative depth (0: first layer, 1: last)", "", size=(WIDTH, 0.42 * len(names) + 1.4)
    )
    groups = list(frame.groupby(by, sort=False)) if by else [("measured, 95 %", frame)]
    for i, (name, part) in enumerate(groups):
        rows = [names.index(value) + 0.16 * (i - (len(groups) - 1) / 2) for value in part[y]]
        ends = [part.depth - part.low, part.high - part.depth]
        ax.errorbar(part.depth, rows, xerr=ends, fmt="o", color=CYCLE[i], capsize=3, label=name)
    if "paper" in frame:
        first = frame.drop_duplicates(y)
        ax.scatter(first.paper, range(len(names)), marker="x", s=60, color="black", label="paper")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlim(-0.05, 1.05)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax.figure


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
