"""A DataFrame in, a matplotlib figure out.

Figures are plain `Figure` objects outside pyplot, so nothing is drawn twice and none stays open.
`show` displays one with its alt text. The background is opaque (dark themes) and the colours are
Okabe and Ito's, which colour-blind readers can tell apart.
"""

import base64
import io
from collections.abc import Iterable, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snahelpers.zones import HIGH, LOW

GREY, ORANGE, BLUE, GREEN = "#8c8c8c", "#d55e00", "#0072b2", "#009e73"
PINK, YELLOW, SKY = "#cc79a7", "#e69f00", "#56b4e9"
CYCLE = (ORANGE, BLUE, GREEN, PINK, YELLOW, SKY, GREY)
ZONES = {1: (0.0, LOW, YELLOW), 2: (LOW, HIGH, PINK), 3: (HIGH, 1.0, GREEN)}
STYLE = {
    "figure.facecolor": "white", "axes.facecolor": "white", "savefig.facecolor": "white",
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
    "axes.titlesize": 11, "font.size": 10,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
}  # fmt: skip
DPI = 100
WIDTH = 7  # inches; at 100 dots each, what fits beside a notebook's prompt


def show(figure: Figure, alt: str) -> None:
    """Display `figure` in the notebook, described by `alt` for those who cannot see it."""
    from IPython.display import display

    png = base64.b64encode(to_png(figure)).decode()
    bundle = {"image/png": png, "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}})


def to_png(figure: Figure) -> bytes:
    """The figure as PNG, without the date and version that would make every run differ."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def axes(title: str, x: str, y: str, *, size: tuple[float, float] = (WIDTH, 3.6)) -> Axes:
    """Empty axes of a new figure in the course's style (`axes.figure` is the figure)."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.add_subplot()
        ax.set(title=title, xlabel=x, ylabel=y)
    return ax


def shade_zones(ax: Axes, lowest: float = 1e-4) -> None:
    """Tint the paper's three zones of baseline P along a logarithmic x axis (section 4)."""
    ax.set_xscale("log")
    ax.set_xlim(lowest, 1.0)
    for zone, (low, high, colour) in ZONES.items():
        left = max(low, lowest)
        ax.axvspan(left, high, color=colour, alpha=0.13, lw=0)
        label = f"Zone {zone}" if zone != 2 else "2"
        middle = np.sqrt(left * high)
        ax.text(middle, 1.0, label, transform=ax.get_xaxis_transform(), ha="center", va="top")


def next_tokens(frame: pd.DataFrame, target: str, title: str) -> Figure:
    """Bars of each token's probability before and after amplification.

    Args:
        frame: Columns token, before, after; one row a token, the likeliest first.
        target: The correct token, drawn in bold.
        title: What was amplified.
    """
    ax = axes(
        title, "probability of being the next token", "", size=(WIDTH, 0.42 * len(frame) + 1.2)
    )
    rows = np.arange(len(frame))
    ax.barh(rows - 0.2, frame.before, 0.38, color=GREY, label="before")
    ax.barh(rows + 0.2, frame.after, 0.38, color=ORANGE, label="after")
    ax.set_yticks(rows, [repr(token)[1:-1].replace(" ", "␣", 1) for token in frame.token])
    for label, token in zip(ax.get_yticklabels(), frame.token, strict=True):
        label.set_fontweight("bold" if token == target else "normal")
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.legend(loc="lower right", frameon=False)
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
    frame: pd.DataFrame, x: str, y: str, *, highlight: Iterable = (), title: str, xlabel: str,
    ylabel: str,
) -> Figure:  # fmt: skip
    """One bar a row; rows whose `x` is in `highlight` are coloured."""
    ax = axes(title, xlabel, ylabel)
    marked = set(highlight)
    colours = [ORANGE if value in marked else GREY for value in frame[x]]
    ax.bar(frame[x].astype(str), frame[y], color=colours)
    ax.axhline(0, color="black", lw=0.8)
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
