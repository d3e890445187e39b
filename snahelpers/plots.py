"""A DataFrame in, a figure out: one function a picture, and how the course's pictures look.

Given `alt`, a function displays its picture, described so for those who cannot see it, and returns
nothing. Without, it returns the figure, to be drawn on and then displayed by `show`.

Figures are plain `Figure` objects outside pyplot, so nothing is drawn twice and none stays open.
The background is opaque (dark themes) and the colours are Okabe and Ito's, which colour-blind
readers can tell apart.
"""

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle, pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from snahelpers.errors import check_choice
from snahelpers.files import data_path
from snahelpers.zones import HIGH, LOW

CYCLE = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c")
ORANGE, BLUE, GREEN, PINK, YELLOW, SKY, GREY = CYCLE
ZONE_COLOURS = {1: YELLOW, 2: PINK, 3: GREEN}
STYLE = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "font.size": 10,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
}
DPI = 100
WIDTH = 7  # inches; at 100 dots each, what fits beside a notebook's prompt
CONFIDENCE = "baseline P of the correct token (log scale)"
BESIDE = dict(loc="center left", bbox_to_anchor=(1, 0.5))  # a legend


@mpl.rc_context(STYLE)
def axes(
    title: str, x: str, y: str, *, size: tuple[float, float] = (WIDTH, 3.6), **properties
) -> Axes:
    """Empty axes of a new figure in the course's style (`axes.figure` is the figure).

    Args:
        title: What will be shown.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        size: Width and height of the figure, in inches.
        properties: Limits, ticks and whatever else `Axes.set` takes.
    """
    ax = Figure(figsize=size, layout="constrained").add_subplot()
    ax.set(title=title, xlabel=x, ylabel=y, **properties)
    return ax


def show(figure: Figure, alt: str) -> None:
    """Display `figure` in the notebook, described by `alt` for those who cannot see it."""
    _display(with_palette(to_png(figure)), alt)


def drawing(name: str, alt: str) -> None:
    """Display a drawing that ships in `data/drawings`, described by `alt`.

    Raises:
        DataError: there is no drawing of this name; the message lists them.
    """
    files = {path.stem: path for path in sorted(data_path("drawings").glob("*.png"))}
    check_choice("drawing", name, tuple(files))
    _display(files[name].read_bytes(), alt)


def _display(png: bytes, alt: str) -> None:
    from IPython.display import display

    data = {"image/png": base64.b64encode(png).decode(), "text/plain": alt}
    display(data, raw=True, metadata={"image/png": {"alt": alt}})


def finish(ax: Axes, alt: str | None, **legend) -> Figure | None:
    """Explain what has a label, where `legend` says; display the figure if it is described.

    A legend that is there already stays as it is.

    Returns:
        The figure where there is no `alt`, else nothing.
    """
    if ax.get_legend_handles_labels()[0] and not ax.get_legend():
        ax.legend(frameon=False, **legend)
    return ax.figure if alt is None else show(ax.figure, alt)


def to_png(figure: Figure) -> bytes:
    """The figure as PNG, without the date and version that would make every run differ."""
    return png_bytes(figure.savefig, dpi=DPI, metadata={"Software": None})


def with_palette(png: bytes) -> bytes:
    """The same picture in 256 colours: it looks the same and takes a third of the space."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    return png_bytes(picture.quantize(256, dither=Image.Dither.NONE).save, optimize=True)


def png_bytes(save: Callable, **options) -> bytes:
    """What the `save` of a figure or an image would write into a PNG file."""
    buffer = io.BytesIO()
    save(buffer, format="png", **options)
    return buffer.getvalue()


# Pictures of any table


def lines(
    frame: pd.DataFrame,
    x: str,
    y: str,
    by: str,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    mark: float | None = None,
    alt: str | None = None,
) -> Figure | None:
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
        alt: A description; with one, the picture is displayed and not returned.
    """
    ax, several = axes(title, xlabel, ylabel), frame[by].nunique() > 1
    for name, part in frame.groupby(by, sort=False):
        [line] = ax.plot(part[x], part[y], marker="o", ms=4, label=name if several else None)
        if {"low", "high"} <= set(frame.columns):
            ax.fill_between(part[x], part.low, part.high, color=line.get_color(), alpha=0.2, lw=0)
    if mark is not None:
        ax.axvline(mark, color="black", ls=":", lw=1)
    return finish(ax, alt)


def scatter(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    highlight: Sequence[bool],
    title: str,
    xlabel: str,
    ylabel: str,
    label: str,
    alt: str | None = None,
) -> Figure | None:
    """Points, those in `highlight` coloured and named by `label`, with the diagonal x = y."""
    ax = axes(title, xlabel, ylabel, size=(5.6, 4.2))
    chosen = np.asarray(highlight)
    ax.scatter(frame[x][~chosen], frame[y][~chosen], color=GREY, s=12, alpha=0.6)
    ax.scatter(frame[x][chosen], frame[y][chosen], color=ORANGE, s=36, ec="black", label=label)
    ax.axline((0, 0), slope=1, color="black", ls=":", lw=1)
    return finish(ax, alt)


def scores_by_layer(
    frame: pd.DataFrame, *, title: str, ylabel: str, label: str, alt: str | None = None
) -> Figure | None:
    """Every neuron's score as a dot in its layer's column, the chosen ones coloured.

    Args:
        frame: Columns layer, score, chosen; one row a neuron.
        title: What is shown.
        ylabel: The score and its unit.
        label: What the chosen neurons are.
        alt: A description; with one, the picture is displayed and not returned.
    """
    ax = axes(title, "layer", ylabel, xticks=sorted(frame.layer.unique()))
    x = frame.layer + np.random.default_rng(0).uniform(-0.3, 0.3, len(frame))
    for shown, look in (
        (~frame.chosen, dict(s=3, color=GREY, alpha=0.5, rasterized=True)),
        (frame.chosen, dict(s=26, color=ORANGE, ec="black", lw=0.6, label=label)),
    ):
        ax.scatter(x[shown], frame.score[shown], **look)
    ax.axhline(0, color="black", lw=0.8)
    return finish(ax, alt, loc="lower left")


def bars(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    by: str | None = None,
    highlight: Iterable = (),
    title: str,
    xlabel: str,
    ylabel: str,
    alt: str | None = None,
) -> Figure | None:
    """One bar a row, a group for each `x`; coloured by `by`, or where `x` is in `highlight`."""
    names = pd.Index(frame[x].unique())
    ax = axes(title, xlabel, ylabel, xticks=range(len(names)), xticklabels=names)
    groups = frame.groupby(by or (lambda _row: ""), sort=False)
    width = 0.8 / groups.ngroups
    for i, (name, part) in enumerate(groups):
        places = names.get_indexer(part[x]) + (i - (groups.ngroups - 1) / 2) * width
        colour = CYCLE[i] if by else [ORANGE if v in set(highlight) else GREY for v in part[x]]
        ax.bar(places, part[y], width, color=colour, label=name)
    ax.axhline(0, color="black", lw=0.8)
    return finish(ax, alt)


def heatmap(
    frame: pd.DataFrame,
    x: str,
    y: str,
    value: str,
    *,
    title: str,
    xlabel: str,
    label: str,
    marks: Iterable[tuple] = (),
    alt: str | None = None,
) -> Figure | None:
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
        alt: A description; with one, the picture is displayed and not returned.
    """
    ax = axes(title, xlabel, "", size=(WIDTH, 0.28 * frame[y].nunique() + 1.4))
    table = _cells(ax, frame, x, y, value)
    for column, row in marks:
        place = table.columns.get_loc(column) + 0.5, table.index.get_loc(row) + 0.5
        ax.plot(*place, marker="o", ms=11, mfc="none", mec="black", mew=1.6)
    ax.figure.colorbar(ax.collections[0], ax=ax, label=label, pad=0.02)
    return finish(ax, alt)


@mpl.rc_context(STYLE)
def matrices(
    frame: pd.DataFrame,
    x: str,
    y: str,
    values: Mapping[str, str],
    *,
    title: str,
    alt: str | None = None,
) -> Figure | None:
    """Several small matrices over the same x and y, side by side, each cell with its number.

    Args:
        frame: One row a cell.
        x: Column along the horizontal axes.
        y: Column down the vertical axis.
        values: From a column to the title of its matrix; blue is below zero, orange above.
        title: What is shown.
        alt: A description; with one, the picture is displayed and not returned.
    """
    size = 2.7 * len(values) + 0.9, 0.42 * frame[y].nunique() + 1.7
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(values), sharey=True, squeeze=False)[0]
    for ax, (column, name) in zip(panels, values.items(), strict=True):
        table = _cells(ax, frame, x, y, column, pale=2.0)
        for (row, place), value in np.ndenumerate(table):
            number = f"{value:.2g}" if abs(value) >= 5e-4 else "0"
            ax.text(place + 0.5, row + 0.5, number, ha="center", va="center", size=8)
        ax.set(title=name, xlabel=x)
        mpl.artist.setp(ax.get_xticklabels(), rotation=30, ha="right")
    panels[0].set_ylabel(y)
    figure.suptitle(title, x=0.01, ha="left", size=11)
    return finish(panels[0], alt)


def peaks(
    frame: pd.DataFrame, y: str, *, by: str | None = None, title: str, alt: str | None = None
) -> Figure | None:
    """A dot at each peak's relative depth with its interval; a cross where the paper puts it.

    Args:
        frame: Columns `y`, depth, low and high, from 0 (first layer) to 1 (last); perhaps paper.
        y: Column that names the rows.
        by: Column that tells several dots in one row apart.
        title: What is shown.
        alt: A description; with one, the picture is displayed and not returned.
    """
    names = pd.Index(frame[y].unique())
    groups = frame.groupby(by or (lambda _row: "measured, 95 %"), sort=False)
    ax = axes(
        title,
        "relative depth (0: first layer, 1: last)",
        "",
        size=(WIDTH, 0.42 * len(names) + 1.4),
        xlim=(-0.05, 1.05),
        ylim=(len(names) - 0.5, -0.5),
        yticks=range(len(names)),
        yticklabels=names,
    )
    for i, (name, part) in enumerate(groups):
        rows = names.get_indexer(part[y]) + 0.16 * (i - (groups.ngroups - 1) / 2)
        ax.errorbar(
            part.depth,
            rows,
            xerr=[part.depth - part.low, part.high - part.depth],
            fmt="o",
            color=CYCLE[i],
            capsize=3,
            label=name,
        )
    if "paper" in frame:
        ax.scatter(
            frame.drop_duplicates(y).paper,
            range(len(names)),
            marker="x",
            s=60,
            color="black",
            label="paper",
        )
    return finish(ax, alt, **BESIDE)


def beside_random(
    frame: pd.DataFrame, y: str, *, title: str, xlabel: str, alt: str | None = None
) -> Figure | None:
    """Each row's effect as a dot with its interval, over the range of random pushes as a bar.

    Args:
        frame: Columns `y`, value, low and high; perhaps random_low, random_mean and random_high.
        y: Column that names the rows, drawn top to bottom.
        title: What is shown.
        xlabel: The effect and its unit.
        alt: A description; with one, the picture is displayed and not returned.
    """
    rows = range(len(frame))
    ax = axes(
        title,
        xlabel,
        "",
        size=(WIDTH, 0.27 * len(frame) + 1.3),
        ylim=(len(frame) - 0.5, -0.5),
        yticks=rows,
        yticklabels=frame[y],
    )
    if "random_low" in frame:
        ax.barh(
            rows,
            frame.random_high - frame.random_low,
            0.7,
            left=frame.random_low,
            fc="#d1d1d1",
            ec=GREY,  # a range narrower than the dot still shows above and below it
            label="random",
        )
        ax.plot(frame.random_mean, rows, "|", ms=11, color="black", label="random: mean")
    ax.hlines(rows, frame.low, frame.high, color=ORANGE, lw=1.5)
    ax.plot(
        frame.value,
        rows,
        "o",
        color=ORANGE,
        mec="black",
        mew=0.6,
        label="measured, 95 %" if (frame.low < frame.high).any() else "measured",
    )
    ax.axvline(0, color="black", lw=0.8)
    ax.locator_params(axis="x", nbins=6)  # more would touch, where names are long
    return finish(ax, alt, **BESIDE)


def _cells(
    ax: Axes, frame: pd.DataFrame, x: str, y: str, value: str, *, pale: float = 1.0
) -> pd.DataFrame:
    """Draw a coloured cell for each x and y, named along both axes, the first row on top.

    The colours end `pale` times as far from zero as the largest value: black text stays readable.

    Returns:
        The values as drawn, rows and columns in the order of the frame.
    """
    table = frame.pivot(index=y, columns=x, values=value).reindex(
        index=frame[y].unique(), columns=frame[x].unique()
    )
    most = pale * (np.nanmax(np.abs(table.to_numpy())) or 1.0)
    every = 1 + (table.shape[1] - 1) // 25  # names of more columns would touch
    ax.set(
        xticks=np.arange(table.shape[1])[::every] + 0.5,
        xticklabels=map(_short, table.columns[::every]),
        yticks=np.arange(table.shape[0]) + 0.5,
        yticklabels=map(_short, table.index),
        ylim=(table.shape[0], 0),
    )
    ax.pcolormesh(table, cmap="PuOr_r", vmin=-most, vmax=most, rasterized=True)
    return table


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


# Pictures over the three zones


def shade_zones(ax: Axes, lowest: float = 1e-4, low: float = LOW, high: float = HIGH) -> None:
    """Tint the three zones of baseline P along a logarithmic x axis (section 4)."""
    ax.set(xscale="log", xlim=(lowest, 1.0))
    edges = [lowest, max(low, lowest), max(high, lowest), 1.0]
    for zone, (left, right) in zip(ZONE_COLOURS, pairwise(edges), strict=True):
        label = f"Zone {zone}" if right > 3 * left else str(zone) if right > left else ""
        _tint(ax, zone, left, right, np.sqrt(left * right), label)


def _tint(ax: Axes, zone: int, left: float, right: float, middle: float, label: str) -> None:
    ax.axvspan(left, right, color=ZONE_COLOURS[zone], alpha=0.13, lw=0)
    ax.text(middle, 1.0, label, transform=ax.get_xaxis_transform(), ha="center", va="top")


def confidence_and_gain(
    frame: pd.DataFrame,
    y: str,
    *,
    title: str,
    ylabel: str,
    low: float = LOW,
    high: float = HIGH,
    alt: str | None = None,
) -> Figure | None:
    """Each task by its baseline P and its gain, over the zones (the paper's Figure 1).

    Args:
        frame: Columns domain, difficulty, p_base and `y`; one row a task.
        y: The column with the gain.
        title: What is shown.
        ylabel: The gain and its unit.
        low: Edge of zones 1 and 2.
        high: Edge of zones 2 and 3.
        alt: A description; with one, the picture is displayed and not returned.
    """
    ax = axes(title, CONFIDENCE, ylabel, size=(WIDTH, 4.2), ymargin=0.12)
    lowest = min(10 ** np.floor(np.log10(frame.p_base.min())), 1e-2)
    shade_zones(ax, lowest, low, high)
    shapes = dict(zip(frame.difficulty.unique(), cycle("osD^v"), strict=False))
    for colour, (domain, part) in zip(cycle(CYCLE), frame.groupby("domain", sort=False)):
        for difficulty, points in part.groupby("difficulty", sort=False):
            ax.scatter(
                points.p_base,
                points[y],
                s=46,
                color=colour,
                marker=shapes[difficulty],
                ec="black",
                lw=0.6,
                zorder=3,
                clip_on=False,
                label=f"{domain}, {difficulty}",
            )
    ax.axhline(0, color="black", lw=0.8)
    return finish(ax, alt, **BESIDE | {"bbox_to_anchor": (1.01, 0.5)})


def dumbbells(frame: pd.DataFrame, title: str, *, alt: str | None = None) -> Figure | None:
    """One line a task from its baseline P to its P under amplification, over the three zones.

    Args:
        frame: Columns task, before, after (mean P of the correct token), drawn top to bottom.
        title: What was done to each task.
        alt: A description; with one, the picture is displayed and not returned.
    """
    rows, dots = range(len(frame)), dict(ec="black", s=45, zorder=3, clip_on=False)
    ax = axes(
        title,
        "mean P of the correct token (log scale)",
        "",
        size=(WIDTH, 0.3 * len(frame) + 1.3),
    )
    p = frame[["before", "after"]].clip(lower=1e-12)  # a P that underflows has no logarithm
    shade_zones(ax, min(10 ** np.floor(np.log10(p.to_numpy().min())), 1e-2))
    ax.hlines(rows, p.before, p.after, color=GREY, lw=2)
    for column, colour in {"before": "white", "after": ORANGE}.items():
        ax.scatter(p[column], rows, color=colour, label=column, **dots)
    ax.set(yticks=rows, yticklabels=frame.task, ymargin=0.08)
    ax.invert_yaxis()
    return finish(ax, alt, loc="lower left")


def margins(frame: pd.DataFrame, title: str, *, alt: str | None = None) -> Figure | None:
    """Each review by its signed margin before and after; what crosses the line is answered anew.

    Args:
        frame: Columns before and after (log P(positive) - log P(negative)) and label, one row a
            review.
        title: What happened in between.
        alt: A description; with one, the picture is displayed and not returned.
    """
    ax = axes(
        title,
        "before: (P(positive) − P(negative)) / their sum",
        "after",
        size=(WIDTH, 4.4),
        xlim=(-1.05, 1.05),
        ylim=(-1.08, 1.2),
    )
    for label, colour, marker in (("positive", ORANGE, "o"), ("negative", BLUE, "s")):
        x, y = np.tanh(frame.loc[frame.label == label, ["before", "after"]].to_numpy() / 2).T
        ax.scatter(x, y, s=18, color=colour, marker=marker, alpha=0.7, label=f"is {label}")
    edges = [-1.05, -0.6, -0.3, 0.3, 0.6, 1.05]
    for zone, (low, high) in zip((3, 2, 1, 2, 3), pairwise(edges), strict=True):
        _tint(ax, zone, low, high, (low + high) / 2, f"Zone {zone}")
    ax.axline((0, 0), slope=1, color="black", ls=":", lw=1)
    ax.axhline(0, color="black", lw=1.4)
    ax.text(1.07, 0.03, "positive ↑", va="bottom", fontsize=9)
    ax.text(1.07, -0.03, "negative ↓", va="top", fontsize=9)
    return finish(ax, alt, loc="lower right")


# The next tokens before and after amplification, quick enough to follow a slider

LIMITS = (0.05, 0.1, 0.25, 0.5, 1.0)  # of the axis: few, so that a slider does not make it jitter
# Where the bars are is fixed, hence fast: shares of the width, and inches of the height.
LEFT, BARS_WIDTH = 0.16, 0.81
ROW, BELOW, LEGEND, TITLE = 0.42, 0.6, 0.3, 0.3


class TokenBars:
    """Two bars a token, and a line across for the range of random controls.

    Its bars stay and move: a new figure for each step of a slider would take twice as long.

    Args:
        rows: The largest number of tokens.
        control: Whether there will be random controls.
    """

    @mpl.rc_context(STYLE)
    def __init__(self, rows: int, *, control: bool = False) -> None:
        self.places, nothing = np.arange(rows), np.zeros(rows)
        height = BELOW + ROW * rows + LEGEND + TITLE
        self.figure = Figure(figsize=(WIDTH, height), dpi=DPI)
        self.ax = ax = self.figure.add_axes((LEFT, BELOW / height, BARS_WIDTH, ROW * rows / height))
        self.canvas = FigureCanvasAgg(self.figure)
        self.before = ax.barh(self.places - 0.2, nothing, 0.38, color=GREY, label="before")
        self.after = ax.barh(self.places + 0.2, nothing, 0.38, color=ORANGE, label="after")
        self.range = ax.hlines(self.places + 0.2, nothing, nothing, color="black", lw=1.5)
        [self.mean] = ax.plot([], [], "|", ms=11, mew=2, color="black", label="random neurons")
        ax.set(xlabel="probability of being the next token", ylim=(rows - 0.5, -0.5), yticks=[])
        self.names = [
            ax.text(-0.015, y, "", transform=ax.get_yaxis_transform(), ha="right", va="center")
            for y in self.places
        ]
        ax.legend(
            handles=[self.before, self.after, *([self.mean] if control else [])],
            ncols=3,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            borderaxespad=0,
            frameon=False,
        )
        # Given its place, the title is not fitted around everything else at each draw.
        self.title = ax.set_title(
            "", loc="left", size=11, y=1 + LEGEND / (ROW * rows), parse_math=False
        )
        self.moving = [*self.before, *self.after, self.range, self.mean, self.title]
        mpl.artist.setp([*self.moving, *self.names], animated=True)  # not part of what is kept
        self.still = {}  # what does not move, painted, for each limit
        self.named = None  # the limit and names of what was last painted below the bars

    def draw(
        self, frame: pd.DataFrame, target: str, title: str, control: pd.DataFrame | None = None
    ) -> Figure:
        """Move the bars.

        Args:
            frame: Columns token, before, after; one row a token, the likeliest first.
            target: The correct token, drawn in bold.
            title: What was amplified.
            control: For the same tokens what random neurons do instead: low, mean and high.

        Returns:
            The figure, the same each time.
        """
        nothing = {"token": "", "before": 0, "after": 0}  # where there are fewer tokens
        frame = frame.reindex(range(len(self.places))).fillna(nothing)
        for bar, width in zip(
            [*self.before, *self.after], [*frame.before, *frame.after], strict=True
        ):
            bar.set_width(width)
        for text, token in zip(self.names, frame.token, strict=True):
            text.set(text=visible(token), weight="bold" if token == target else "normal")
        control = pd.DataFrame(columns=["low", "mean", "high"]) if control is None else control
        low, mean, high = control.to_numpy(float).T
        ys = self.places[: len(mean)] + 0.2
        self.range.set_segments(np.stack([np.c_[low, ys], np.c_[high, ys]], axis=1))
        self.mean.set_data(mean, ys)
        most = max([frame.before.max(), frame.after.max(), *high])
        self.ax.set_xlim(0, next((limit for limit in LIMITS if most <= limit), 1.0))
        self.title.set_text(title)
        return self.figure

    def to_png(self) -> bytes:
        """The picture as last drawn.

        Axis, legend and frame are painted once for each limit, and names only when they change:
        text takes longer to paint than all the bars.
        """
        limit = self.ax.get_xlim()[1]
        names = (limit, *((text.get_text(), text.get_weight()) for text in self.names))
        if limit not in self.still:
            self.canvas.draw()  # without what is animated
            self.still[limit] = self.canvas.copy_from_bbox(self.figure.bbox)
        if self.named != names:
            self._paint(self.still[limit], self.names)
            self.named, self.below = names, self.canvas.copy_from_bbox(self.figure.bbox)
        self._paint(self.below, self.moving)
        image = Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB")
        return png_bytes(image.save, compress_level=1)

    def _paint(self, below, artists) -> None:
        """Put back what lies below the artists, and draw them."""
        self.canvas.restore_region(below)
        for artist in artists:
            self.ax.draw_artist(artist)


def visible(token: str) -> str:
    """A token with its leading space and its line ends to be seen."""
    return repr(token)[1:-1].replace(" ", "␣", 1)


def next_tokens(
    frame: pd.DataFrame, target: str, title: str, *, alt: str | None = None
) -> Figure | None:
    """Bars of each token's probability before and after amplification: see `TokenBars.draw`.

    Args:
        frame: Columns token, before, after; one row a token, the likeliest first.
        target: The correct token, drawn in bold.
        title: What was amplified.
        alt: A description; with one, the picture is displayed and not returned.
    """
    figure = TokenBars(len(frame)).draw(frame, target, title)
    return finish(figure.axes[0], alt)
