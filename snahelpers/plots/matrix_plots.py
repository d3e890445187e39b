"""Figures of who disturbs whom; part of `plots`."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from snahelpers.plots.style import GREY, ORANGE, STYLE, WIDTH, axes


def matrices(
    frame: pd.DataFrame, x: str, y: str, values: Mapping[str, str], *, title: str
) -> Figure:
    """Several small matrices over the same x and y, side by side, each cell with its number.

    Args:
        frame: One row a cell.
        x: Column along the horizontal axes.
        y: Column down the vertical axis.
        values: From a column to the title of its matrix; blue is below zero, orange above.
        title: What is shown.
    """
    rows, columns = list(dict.fromkeys(frame[y])), list(dict.fromkeys(frame[x]))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH + 2, 0.42 * len(rows) + 1.7), layout="constrained")
        panels = figure.subplots(1, len(values), sharey=True, squeeze=False)[0]
        for ax, (column, name) in zip(panels, values.items(), strict=True):
            table = frame.pivot(index=y, columns=x, values=column).loc[rows, columns].to_numpy()
            most = np.nanmax(np.abs(table)) or 1.0
            ax.pcolormesh(table, cmap="PuOr_r", vmin=-1.5 * most, vmax=1.5 * most, rasterized=True)
            for (row, place), value in np.ndenumerate(table):
                number = f"{value:.2g}" if abs(value) >= 5e-4 else "0"
                ax.text(place + 0.5, row + 0.5, number, ha="center", va="center", size=8)
            ax.set(title=name, xlabel=x)
            ax.title.set_size(9)
            ax.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=30, ha="right")
            ax.set_yticks(np.arange(len(rows)) + 0.5, rows)
        panels[0].invert_yaxis()  # shared by all
        panels[0].set_ylabel(y)
        figure.suptitle(title, x=0.01, ha="left", size=11)
    return figure


def beside_random(frame: pd.DataFrame, y: str, *, title: str, xlabel: str) -> Figure:
    """Each row's effect as a dot with its interval, over the range of random pushes as a bar.

    Args:
        frame: Columns `y`, value, low and high; perhaps random_low, random_mean and random_high.
        y: Column that names the rows, drawn top to bottom.
        title: What is shown.
        xlabel: The effect and its unit.
    """
    ax = axes(title, xlabel, "", size=(WIDTH, 0.27 * len(frame) + 1.3))
    rows = np.arange(len(frame))
    if "random_low" in frame:
        width = frame.random_high - frame.random_low
        ax.barh(rows, width, 0.7, left=frame.random_low, color=GREY, alpha=0.4, label="random")
        ax.plot(frame.random_mean, rows, "|", ms=11, color="black", label="random: mean")
    ax.hlines(rows, frame.low, frame.high, color=ORANGE, lw=1.5)
    ax.plot(frame.value, rows, "o", color=ORANGE, mec="black", mew=0.6, label="measured, 95 %")
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(rows, frame[y])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.locator_params(axis="x", nbins=6)  # more would touch, where names are long
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax.figure
