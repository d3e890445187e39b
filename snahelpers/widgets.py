"""One panel of controls over a picture, and what the course shows with it."""

import html
import os
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers import plots
from snahelpers.amplify import Amplification
from snahelpers.choose import random_neurons, top_neurons
from snahelpers.errors import SNAError
from snahelpers.measure import next_token_change
from snahelpers.tasks import Task
from snahelpers.zones import HIGH, LOW, zone

SHOWN_TOKENS = 6
GAINS = {"pct_improvement": "improvement of P (%)", "delta_logodds": "change of log-odds"}


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
            name: _control(w, name, c, self.start[name]) for name, c in self.choices.items()
        }
        size = {"width": f"{plots.WIDTH * plots.DPI:g}px", "max_width": "100%"}
        image, message = w.Image(format="png", layout=size), w.HTML()

        def refresh(_change=None) -> None:
            try:
                figure, alt = self.picture(**{name: c.value for name, c in controls.items()})
            except SNAError as error:  # the last good picture stays
                message.value = f"<b>{html.escape(str(error))}</b>"
            else:
                image.value = plots.to_png(figure)
                message.value = f"<p role='status'>{html.escape(alt)}</p>"

        for control in controls.values():
            control.observe(refresh, "value")
        refresh()
        return w.VBox(
            [w.HBox(list(controls.values()), layout={"flex_flow": "row wrap"}), message, image]
        )


class Explorer(Panel):
    """Amplify neurons of one task and watch the next-token distribution of one of its prompts.

    Args:
        model: From `load_model`; every change is a forward pass of it.
        task: Its prompts can be chosen.
        scores: What neurons are chosen by, as from `differential_activation`.
        layer: The first layer shown.
        k: The first number of neurons shown.
        multiplier: The first multiplier shown.

    Raises:
        SNAError: layer, k or multiplier is out of range.
    """

    def __init__(
        self, model: TransformerBridge, task: Task, scores: Float[Tensor, "layer d_mlp"],
        *, layer: int, k: int, multiplier: float,
    ) -> None:  # fmt: skip
        self.model, self.scores = model, scores
        self.examples = {example.prompt: example for example in task.examples}
        self.choices = {
            "prompt": list(self.examples),
            "layer": (0, len(scores) - 1, 1),
            "neurons": (1, max(50, k), 1),
            "multiplier": (0.0, max(12.0, multiplier), 0.1),
            "chosen by": ["top scores", "random"],
        }
        first = (task.examples[0].prompt, layer, k, multiplier, "top scores")
        self.start = dict(zip(self.choices, first, strict=True))
        self.amplification(**self.start)

    def amplification(self, **values) -> Amplification:
        """The amplification that the controls describe; "random" is the control group."""
        layer, k = values["layer"], values["neurons"]
        neurons = top_neurons(self.scores, layer, k)
        if values["chosen by"] == "random":
            neurons = random_neurons(self.scores.shape[1], k, seed=layer)
        return Amplification(layer, neurons, values["multiplier"])

    def table(self, **values) -> pd.DataFrame:
        """Token, before and after: a forward pass of the model as the controls say."""
        example = self.examples[values["prompt"]]
        return next_token_change(
            self.model, example.prompt, self.amplification(**values), always=example.target,
            k=SHOWN_TOKENS,
        )  # fmt: skip

    def picture(self, **values) -> tuple[Figure, str]:
        """Bars of the likeliest tokens with and without amplification."""
        table, target = self.table(**values), self.examples[values["prompt"]].target
        row = table[table.token == target].iloc[0]
        title = (
            f"{values['neurons']} neurons ({values['chosen by']}) of layer {values['layer']} × "
            f"{values['multiplier']:.1f}:  P({target.strip()}) {row.before:.3g} → {row.after:.3g}"
        )
        figure = plots.next_tokens(table, target, title)
        return figure, f"Bars of the likeliest next tokens before and after. {title}."


class ZoneMap(Panel):
    """The paper's Figure 1 for one configuration of a sweep, with movable thresholds.

    Args:
        frame: From `sweep`; its "test" rows are shown if it has them, else all.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        shown = frame[frame.split == "test"]
        self.frame = shown if len(shown) else frame
        columns = {"layer": "layer", "neurons": "n_neurons", "multiplier": "multiplier"}
        self.configuration = columns
        self.choices = {name: sorted(frame[column].unique()) for name, column in columns.items()}
        self.choices |= {
            "gain": ["pct_improvement", "delta_logodds"],
            "zone 1 below": (0.01, 0.5, 0.01),
            "zone 3 above": (0.01, 0.5, 0.01),
        }
        last = {name: values[-1] for name, values in self.choices.items()}
        last["layer"] = self.choices["layer"][len(self.choices["layer"]) // 2]
        self.start = last | {"gain": "pct_improvement", "zone 1 below": LOW, "zone 3 above": HIGH}

    def picture(self, **values) -> tuple[Figure, str]:
        """Every task by its baseline P and its gain under this configuration."""
        low, high = values["zone 1 below"], values["zone 3 above"]
        if low > high:
            raise SNAError(f"Zone 1 ends at {low:.2f}, above {high:.2f}, where Zone 3 begins.")
        here = np.logical_and.reduce(
            [self.frame[column] == values[name] for name, column in self.configuration.items()]
        )
        rows, gain = self.frame[here], values["gain"]
        title = (
            f"{values['neurons']} neurons of layer {values['layer']} × {values['multiplier']:.2f}"
        )
        zones = rows.p_base.map(lambda p: zone(p, low, high))
        means = rows.groupby(zones)[gain].mean()
        told = ", ".join(f"Zone {z}: {value:.3g}" for z, value in means.items())
        figure = plots.confidence_and_gain(
            rows, gain, title=title, ylabel=GAINS[gain], low=low, high=high
        )
        return figure, f"{title}. Mean {GAINS[gain]}: {told}."


def _control(w, name: str, choices: list | tuple, value: Any):
    """A slider for a range, a slider over a few numbers, or a list of words."""
    options = {"description": name, "value": value, "style": {"description_width": "7em"}}
    if isinstance(choices, list) and isinstance(choices[0], str):
        wide = {"width": "98%"} if max(map(len, choices)) > 30 else {}
        return w.Dropdown(options=choices, layout=wide, **options)
    if isinstance(choices, list):
        return w.SelectionSlider(options=[(f"{c:.3g}", c) for c in choices], **options)
    kind = w.IntSlider if isinstance(choices[2], int) else w.FloatSlider
    return kind(min=choices[0], max=choices[1], step=choices[2], **options)


def widgets_can_run() -> bool:
    """False where SNA_STATIC is set or ipywidgets is not installed."""
    wanted = os.environ.get("SNA_STATIC", "0") in ("", "0")
    return wanted and find_spec("ipywidgets") is not None
