"""The next-token distribution before and after amplification; part of `plots`."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from snahelpers.plots.style import DPI, GREY, ORANGE, STYLE, WIDTH

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

    def __init__(self, rows: int, *, control: bool = False) -> None:
        self.places, nothing = np.arange(rows), np.zeros(rows)
        with mpl.rc_context(STYLE):
            height = BELOW + ROW * rows + LEGEND + TITLE
            self.figure = Figure(figsize=(WIDTH, height), dpi=DPI)
            place = (LEFT, BELOW / height, BARS_WIDTH, ROW * rows / height)
            self.ax = ax = self.figure.add_axes(place)
        self.before = ax.barh(self.places - 0.2, nothing, 0.38, color=GREY, label="before")
        self.after = ax.barh(self.places + 0.2, nothing, 0.38, color=ORANGE, label="after")
        ends = dict(color="black", lw=1.5)
        self.range = ax.hlines(self.places + 0.2, nothing, nothing, **ends)
        [self.mean] = ax.plot([], [], "|", ms=11, mew=2, color="black", label="random neurons")
        ax.set(xlabel="probability of being the next token", ylim=(rows - 0.5, -0.5))
        self.names = [
            ax.text(-0.015, y, "", transform=ax.get_yaxis_transform(), ha="right", va="center")
            for y in self.places
        ]
        ax.set_yticks([])
        explained = [self.before, self.after, *([self.mean] if control else [])]
        ax.legend(
            handles=explained, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0,
            frameon=False,
        )  # fmt: skip
        # Given its place, the title is not fitted around everything else at each draw.
        above = 1 + LEGEND / (ROW * rows)
        self.title = ax.set_title("", loc="left", size=11, y=above, parse_math=False)
        self.still: dict[float, object] = {}  # what does not move, painted, for each limit
        self.named: tuple[tuple, object] | None = None  # the newest names and what lies below them

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
        frame = frame.reindex(range(len(self.places)))  # bars without a token have no width
        for bars, widths in ((self.before, frame.before), (self.after, frame.after)):
            for bar, width in zip(bars, widths.fillna(0), strict=True):
                bar.set_width(width)
        control = pd.DataFrame(columns=["low", "mean", "high"]) if control is None else control
        low, mean, high = control.to_numpy(float).T
        ys = self.places[: len(mean)] + 0.2
        self.range.set_segments(np.stack([np.c_[low, ys], np.c_[high, ys]], axis=1))
        self.mean.set_data(mean, ys)
        self._name(frame.token.fillna("").tolist(), target)
        most = max([frame.before.max(), frame.after.max(), *high])
        self.ax.set_xlim(0, next((limit for limit in LIMITS if most <= limit), 1.0))
        self.title.set_text(title)
        return self.figure

    def to_png(self) -> bytes:
        """The picture as last drawn.

        Axis, legend and frame are painted once for each limit, and names only when they change:
        text takes longer to paint than all the bars.
        """
        canvas = FigureCanvasAgg(self.figure)
        moving = [*self.before, *self.after, self.range, self.mean, self.title]
        canvas.restore_region(self._background(canvas, moving))
        for artist in moving:
            self.ax.draw_artist(artist)
        buffer = io.BytesIO()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        image.save(buffer, "png", compress_level=1)
        return buffer.getvalue()

    def _background(self, canvas: FigureCanvasAgg, moving: list):
        """What lies below the moving artists, the names included."""
        limit = self.ax.get_xlim()[1]
        names = (limit, *((text.get_text(), text.get_weight()) for text in self.names))
        if limit not in self.still:
            left_out = [*moving, *self.names]
            mpl.artist.setp(left_out, animated=True)
            canvas.draw()
            mpl.artist.setp(left_out, animated=False)
            self.still[limit] = canvas.copy_from_bbox(self.figure.bbox)
        if self.named is None or self.named[0] != names:
            canvas.restore_region(self.still[limit])
            for text in self.names:
                self.ax.draw_artist(text)
            self.named = names, canvas.copy_from_bbox(self.figure.bbox)
        return self.named[1]

    def _name(self, tokens: list[str], target: str) -> None:
        for text, token in zip(self.names, tokens, strict=True):
            text.set(text=visible(token), weight="bold" if token == target else "normal")


def visible(token: str) -> str:
    """A token with its leading space and its line ends to be seen."""
    return repr(token)[1:-1].replace(" ", "␣", 1)


def next_tokens(frame: pd.DataFrame, target: str, title: str) -> Figure:
    """Bars of each token's probability before and after amplification: see `TokenBars.draw`."""
    return TokenBars(len(frame)).draw(frame, target, title)
