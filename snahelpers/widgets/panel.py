"""Controls over a picture: the one kind of widget in the course's notebooks."""

import html
import os
from importlib.util import find_spec
from typing import Any

from matplotlib.figure import Figure

from snahelpers import plots
from snahelpers.errors import SNAError
from snahelpers.widgets.live import Live

LABEL = {"description_width": "7em"}  # all labels alike, so that controls stand in columns


class Panel:
    """Controls over a picture; the picture alone where no widget can run.

    Widgets cannot run with `SNA_STATIC=1`, or without ipywidgets. A change that cannot be drawn
    shows its reason and leaves the last good picture.

    Attributes:
        choices: For each control its values: a list to choose from, or (low, high, step).
        start: For each control its first value.
    """

    choices: dict[str, list | tuple]
    start: dict[str, Any]

    def picture(self, **values) -> tuple[Figure, str]:
        """The figure for this state of the controls, and its alt text."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        if widgets_can_run():
            from IPython.display import display

            display(self._controls())
        else:
            plots.show(*self.picture(**self.start))

    def _controls(self):
        """The live widget: every change draws a new picture in place of the old one."""
        import ipywidgets as w

        controls = {
            name: control(w, name, choices, self.start[name])
            for name, choices in self.choices.items()
        }
        image, message = picture_frame(w), w.HTML()

        def draw() -> None:
            try:
                figure, alt = self.picture(**{name: c.value for name, c in controls.items()})
            except SNAError as error:  # the last good picture stays
                message.value = sentence(str(error), problem=True)
            else:
                image.value = plots.to_png(figure)
                message.value = sentence(alt)

        live = Live(draw)
        live.now()
        for each in controls.values():
            each.observe(live, "value")
        return w.VBox([row(w, *controls.values()), message, image])


def control(w, name: str, choices: list | tuple, value: Any):
    """A slider for a range, a slider over a few numbers, or a list of words."""
    options = {"description": name, "value": value, "style": LABEL}
    if isinstance(choices, list) and isinstance(choices[0], str):
        wide = {"width": "98%"} if max(map(len, choices)) > 30 else {}
        return w.Dropdown(options=choices, layout=wide, **options)
    if isinstance(choices, list):
        named = [(f"{c:.3g}" if isinstance(c, float) else f"{c:,}", c) for c in choices]
        return w.SelectionSlider(options=named, **options)
    kind = w.IntSlider if isinstance(choices[2], int) else w.FloatSlider
    return kind(min=choices[0], max=choices[1], step=choices[2], **options)


def sentence(text: str, *, problem: bool = False) -> str:
    """Text that a screen reader speaks when it changes; bold if something is wrong."""
    text = html.escape(text)
    return f"<p role='status' aria-live='polite'>{f'<b>{text}</b>' if problem else text}</p>"


def row(w, *children):
    """Widgets side by side, and below each other where the page is narrow."""
    return w.HBox(list(children), layout={"flex_flow": "row wrap"})


def picture_frame(w):
    """An empty image as wide as the course's figures, less on a narrow page."""
    return w.Image(
        format="png", layout={"width": f"{plots.WIDTH * plots.DPI:g}px", "max_width": "100%"}
    )


def widgets_can_run() -> bool:
    """False where SNA_STATIC is set or ipywidgets is not installed."""
    wanted = os.environ.get("SNA_STATIC", "0") in ("", "0")
    return wanted and find_spec("ipywidgets") is not None
