"""Draw what words explain badly, in the course's colours: data/drawings/.

    python tools/drawings.py            all of them; run twice, nothing changes

Notebooks show them with `sna.plots.drawing`, which says what is to be seen for those who cannot.
"""

import sys
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

import snahelpers as sna
from snahelpers.plots import (
    BLUE,
    CONFIDENCE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    STYLE,
    WIDTH,
    YELLOW,
    axes,
    shade_zones,
    to_png,
    with_palette,
)

FOLDER = sna.data_path("drawings")
INK, PALE = "#333333", "#f2f2f2"


def canvas(width: float, height: float) -> Axes:
    """Empty paper: one unit is a tenth of an inch, nothing is drawn around it."""
    ax = Figure(figsize=(width / 10, height / 10), layout="constrained").add_subplot()
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return ax


def box(ax: Axes, x: float, y: float, w: float, h: float, text: str, colour: str, **font) -> None:
    """A rounded box around `text`; x and y are its middle."""
    corner, style = (x - w / 2, y - h / 2), "round,pad=0,rounding_size=0.8"
    ax.add_patch(FancyBboxPatch(corner, w, h, boxstyle=style, fc=colour, ec=INK, lw=1, alpha=0.6))
    say(ax, x, y, text, **font)


def arrow(
    ax: Axes, start: tuple, end: tuple, colour: str = INK, width: float = 1.4, **more
) -> None:
    style = dict(arrowstyle="-|>", mutation_scale=11, shrinkA=0, shrinkB=0)
    ax.add_patch(FancyArrowPatch(start, end, color=colour, lw=width, **(style | more)))


def say(ax: Axes, x: float, y: float, text: str, size: float = 9, **font) -> None:
    ax.text(x, y, text, **(dict(ha="center", va="center", fontsize=size, color=INK) | font))


def plus(ax: Axes, x: float, y: float) -> None:
    """Where something is added to the residual stream."""
    ax.add_patch(Circle((x, y), 1.1, fc="white", ec=INK, lw=1.2, zorder=3))
    say(ax, x, y - 0.1, "+", size=11, zorder=4)


def residual_stream() -> Axes:
    """The stream, two layers that read from it and add to it, and one MLP opened."""
    ax = canvas(76, 41)
    arrow(ax, (9, 8), (68, 8), colour=BLUE, width=5, mutation_scale=22)
    box(ax, 4.5, 8, 8.5, 5, "token\nembedding", PALE, size=8)
    box(ax, 72, 8, 7.5, 5, "logits", PALE, size=8)
    say(ax, 9, 1.6, "residual stream: one vector for each position", size=8.5, ha="left")
    for name, x, colour in [
        ("attention", 16, SKY), ("MLP", 27, YELLOW), ("attention", 43, SKY), ("MLP", 54, YELLOW)
    ]:  # fmt: skip
        arrow(ax, (x - 3.2, 8), (x - 3.2, 14.5))
        box(ax, x, 16.5, 9, 4, name, colour)
        arrow(ax, (x + 3.2, 14.5), (x + 3.2, 9.2))
        plus(ax, x + 3.2, 8)
    say(ax, 12.2, 12, "reads", size=8, color=GREY, ha="right")
    say(ax, 19.8, 12, "adds", size=8, color=GREY, ha="left")
    for number, x in enumerate((21.5, 48.5)):
        say(ax, x, 4.6, f"layer {number}", size=9, weight="bold")
    say(ax, 64, 16.5, "… more\nlayers", size=9)
    for corner in (49.5, 58.5):
        ax.plot([corner, 30 if corner < 50 else 74], [18.5, 24], color=GREY, lw=0.8, ls="--")
    ax.add_patch(Rectangle((30, 24), 44, 16, fc="#fffaf0", ec=GREY, lw=0.8, ls="--"))
    box(ax, 36.5, 32, 9, 7, "reads\n$W_{in}$", PALE, size=8.5)
    box(ax, 67.5, 32, 9, 7, "writes\n$W_{out}$", PALE, size=8.5)
    heights = np.linspace(27, 37, 6)
    for height, fill in zip(heights, (0.1, 0.9, 0.2, 0.05, 0.6, 0.15), strict=True):
        arrow(ax, (41, 32), (50.4, height), colour=GREY, width=0.7, mutation_scale=7)
        arrow(ax, (53.6, height), (63, 32), colour=GREY, width=0.7, mutation_scale=7)
        ax.add_patch(Circle((52, height), 0.9, fc="white", ec=INK, lw=1, zorder=3))
        ax.add_patch(Circle((52, height), 0.9, fc=ORANGE, ec=INK, lw=1, alpha=fill, zorder=4))
    say(ax, 52, 25.2, "neurons: the darker, the more active", size=8)
    say(ax, 31, 38.6, "an MLP, opened", size=9, weight="bold", ha="left")
    return ax


def hook() -> Axes:
    """A pass on its way, stopped at one place by a function that may change what goes on."""
    ax = canvas(76, 24)
    for x, text, colour in [(7, "reads\n$W_{in}$", PALE), (69, "writes\n$W_{out}$", PALE)]:
        box(ax, x, 7, 11, 7, text, colour)
    box(ax, 22.5, 7, 13, 7, "activation\n[batch, pos, neuron]", SKY, size=8)
    box(ax, 53.5, 7, 13, 7, "activation\nthat goes on", SKY, size=8)
    for start, end in [(12.5, 16), (60, 63.5)]:
        arrow(ax, (start, 7), (end, 7))
    ax.plot([29, 47], [7, 7], color=GREY, lw=1.2, ls=":")
    say(ax, 38, 5, "without a hook:\nunchanged", size=8, color=GREY)
    box(ax, 38, 19, 24, 7, "your function\nhook(activation) → activation", YELLOW)
    arrow(ax, (22.5, 10.5), (26, 17), colour=ORANGE)
    arrow(ax, (50, 17), (53.5, 10.5), colour=ORANGE)
    say(ax, 18.5, 15, "gets the\nvalues", size=8)
    say(ax, 57.8, 15, "returns\nothers", size=8)
    return ax


def added_vector() -> Axes:
    """Two neurons turned up, what each adds more, and where the stream's vector ends."""
    ax = canvas(76, 32)
    say(ax, 12, 30, "activations × 2", weight="bold")
    for x, (height, chosen) in enumerate([(3, 0), (8, 1), (2, 0), (5, 1), (4, 0)]):
        left = 3 + 4 * x
        if chosen:
            ax.add_patch(Rectangle((left, 6 + height), 2.8, height, fc="white", ec=ORANGE, ls="--"))
        colour = ORANGE if chosen else GREY
        ax.add_patch(Rectangle((left, 6), 2.8, height, fc=colour, ec=INK, lw=0.8))
    say(ax, 12.5, 3.2, "chosen: orange; added: dashed", size=8)
    say(ax, 37, 30, "times their output vectors", weight="bold")
    origin = np.array([31, 12])
    for step, text in (((9, 1.5), "8 · $w_1$"), ((4, 5.5), "5 · $w_3$")):
        end = origin + step
        arrow(ax, tuple(origin), tuple(end), colour=ORANGE, ls="--")
        say(ax, end[0] + 2.5, end[1] + 0.8, text, size=9)
    say(ax, 37, 3.2, "rows of $W_{out}$", size=8)
    say(ax, 63, 30, "added to the residual stream", weight="bold")
    start, before, added = np.array([54, 7]), np.array([3, 13]), np.array([13, 7])
    arrow(ax, tuple(start), tuple(start + before), colour=BLUE, width=2.2)
    arrow(
        ax, tuple(start + before), tuple(start + before + added), colour=ORANGE, ls="--", width=1.8
    )
    arrow(ax, tuple(start), tuple(start + before + added), colour=GREEN, width=2.2)
    say(ax, 52.5, 15, "before", color=BLUE, size=9)
    say(ax, 57, 26, "sum of the two", color=ORANGE, size=9)
    say(ax, 67, 15, "after", color=GREEN, size=9)
    return ax


def sweep() -> Axes:
    """A stack of sheets, one a layer; on each a cell for every count and multiplier."""
    ax = canvas(76, 36)
    counts, multipliers = 7, 12
    for layer in range(4, -1, -1):
        x, y = 10 + 4 * layer, 7 + 3.2 * layer
        corners = [(x, y), (x + 36, y), (x + 36, y + 14), (x, y + 14)]
        ax.add_patch(Polygon(corners, fc="white", ec=INK, lw=1))
    for row in range(counts):
        for column in range(multipliers):
            place, chosen = (10 + 3 * column, 7 + 2 * row), (row, column) == (3, 9)
            ax.add_patch(Rectangle(place, 3, 2, fc=ORANGE if chosen else PALE, ec=GREY, lw=0.5))
    say(ax, 10, 4.8, "multiplier: 1.1 … 2.4 (12 values)", size=8.5, ha="left")
    say(ax, 7.8, 14, "number of neurons:\n3 … 25 (7 values)", size=8.5, rotation=90)
    say(ax, 64, 12.5, "one sheet a layer", size=8.5, ha="left")
    arrow(ax, (63.5, 12.8), (46.3, 9.3), colour=GREY, width=1)
    arrow(ax, (39, 1.6), (38.5, 14), colour=ORANGE)
    say(ax, 39.5, 1.4, "one configuration: this layer, 10 neurons, × 2.2", size=8.5, ha="left")
    return ax


def select_and_test() -> Axes:
    """Half of the prompts choose, the other half judge what was chosen."""
    ax = canvas(76, 30)
    say(ax, 9, 28, "a task's prompts", weight="bold")
    for half, (y, colour) in {"select": (20, YELLOW), "test": (7, GREEN)}.items():
        for row in range(4):
            ax.add_patch(Rectangle((3, y - 4 + 2.2 * row), 12, 1.5, fc=colour, ec=INK, lw=0.6))
        say(ax, 18.5, y, half, size=10, weight="bold", ha="left")
    arrow(ax, (26, 20), (31, 20))
    box(ax, 39, 20, 15, 8, "choose neurons;\ntry every\nconfiguration", PALE, size=8.5)
    arrow(ax, (46.5, 20), (52, 20))
    box(ax, 59, 20, 13.5, 8, "the best one:\nthe winner", YELLOW, size=8.5)
    arrow(ax, (59, 16), (59, 11.2), colour=ORANGE)
    arrow(ax, (26, 7), (52, 7))
    box(ax, 59, 7, 13.5, 8, "measure the\nwinner, once", GREEN, size=8.5)
    arrow(ax, (65.8, 7), (69, 7))
    say(ax, 72.5, 7, "report", size=9, weight="bold")
    say(ax, 39, 9.2, "took no part in the choice", size=8, color=GREY)
    return ax


def matched_control() -> Axes:
    """Chosen neurons and random ones that are as loud, whose vector has another direction."""
    ax = canvas(76, 29)
    panels = {
        "chosen neurons": (0, ORANGE, {2, 7, 12}),
        "matched random neurons": (39, GREY, {4, 9, 15}),
    }
    for name, (left, colour, picked) in panels.items():
        say(ax, left + 18, 27, name, weight="bold")
        for place in range(18):
            x, y = left + 3 + 3 * (place % 6), 8 + 5 * (place // 6)
            fill = colour if place in picked else "white"
            ax.add_patch(Circle((x, y), 1.1, fc=fill, ec=INK, lw=0.9))
        start, angle = np.array([left + 26.0, 12.0]), {0: 0.9, 39: -0.5}[left]
        end = start + 10 * np.array([np.cos(angle), np.sin(angle)])
        arrow(ax, tuple(start), tuple(end), colour=colour, width=2.4)
        say(ax, left + 10.5, 5, "one layer's neurons", size=8)
        say(ax, left + 30, 5, "the vector they add", size=8)
    say(ax, 38, 1.6, "same layer, same number, as loud; another direction", size=9)
    return ax


def paper_claim() -> Axes:
    """The three-zone claim drawn from the paper's own numbers (sections 4.2 to 4.4)."""
    ax = axes(
        "What the paper reports for GPT-2 Medium",
        CONFIDENCE,
        "improvement of P (%)",
        size=(WIDTH, 3.2),
        ylim=(0, 95),
    )
    shade_zones(ax, 1e-3)
    ax.hlines([27.85, 8, 70.3], [1e-3, 0.10, 1e-3], [0.07, 1.0, 0.07], ORANGE, ["-", "-", "--"])
    for x, y, words, look in (
        (1.2e-3, 31, "mean of Zone 1: +27.85 %", dict(color=ORANGE)),
        (1.2e-3, 73, "best configuration: +70.3 %", dict(color=ORANGE)),
        (0.084, 30, "unstable", dict(ha="center", rotation=90, fontsize=9)),
        (0.32, 11, "below 8 %", dict(color=ORANGE, ha="center")),
    ):
        ax.text(x, y, words, **look)
    return ax


DRAWINGS: dict[str, Callable[[], Axes]] = {
    function.__name__: function
    for function in (
        residual_stream,
        hook,
        added_vector,
        sweep,
        select_and_test,
        matched_control,
        paper_claim,
    )
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAWINGS.items():
        with mpl.rc_context(STYLE):
            png = to_png(draw().figure)
        # The one that looks like the course's plots is kept as small as they are.
        (FOLDER / f"{name}.png").write_bytes(with_palette(png) if name == "paper_claim" else png)


if __name__ == "__main__":
    sys.exit(main())
