"""How the course's figures look, and how they are shown.

Figures are plain `Figure` objects outside pyplot, so nothing is drawn twice and none stays open.
The background is opaque (dark themes) and the colours are Okabe and Ito's, which colour-blind
readers can tell apart.
"""

import base64
import io

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

GREY, ORANGE, BLUE, GREEN = "#8c8c8c", "#d55e00", "#0072b2", "#009e73"
PINK, YELLOW, SKY = "#cc79a7", "#e69f00", "#56b4e9"
CYCLE = (ORANGE, BLUE, GREEN, PINK, YELLOW, SKY, GREY)
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

    png = base64.b64encode(_with_palette(to_png(figure))).decode()
    bundle = {"image/png": png, "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}})


def to_png(figure: Figure) -> bytes:
    """The figure as PNG, without the date and version that would make every run differ."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def _with_palette(png: bytes) -> bytes:
    """The same picture in 256 colours: it looks the same and takes a third of the room."""
    picture, buffer = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def axes(title: str, x: str, y: str, *, size: tuple[float, float] = (WIDTH, 3.6)) -> Axes:
    """Empty axes of a new figure in the course's style (`axes.figure` is the figure)."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.add_subplot()
        ax.set(title=title, xlabel=x, ylabel=y)
    return ax
