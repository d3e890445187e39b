"""The next-token distribution before and after amplification, quick enough to follow a slider."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from snahelpers.plots import DPI, GREY, ORANGE, STYLE, WIDTH, finish, png_bytes

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
