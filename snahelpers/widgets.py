"""One Explorer: thin ipywidgets over pure functions, and a picture where no widget can run."""

import html
import os
from importlib.util import find_spec
from typing import Literal

import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers import plots
from snahelpers.amplify import Amplification
from snahelpers.errors import SNAError
from snahelpers.measure import next_token_change
from snahelpers.neurons import random_neurons, top_neurons
from snahelpers.tasks import Example, Task

SHOWN_TOKENS = 6


class Explorer:
    """Amplify neurons of one task and watch the next-token distribution of one of its prompts.

    Displayed in a notebook it is a row of controls over a picture; where widgets cannot run
    (`SNA_STATIC=1`, or ipywidgets is not installed) it is the picture alone.

    Args:
        model: From `load_model`.
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
        self.model, self.task, self.scores = model, task, scores
        self.start = {"layer": layer, "k": k, "multiplier": multiplier, "source": "top scores"}
        self.amplification(**self.start)

    def amplification(
        self, layer: int, k: int, multiplier: float, source: Literal["top scores", "random"]
    ) -> Amplification:
        """The amplification that the controls describe; `source` "random" is the control group."""
        neurons = top_neurons(self.scores, layer, k)
        if source == "random":
            neurons = random_neurons(self.scores.shape[1], k, seed=layer)
        return Amplification(layer, neurons, multiplier)

    def table(self, example: Example, **controls) -> pd.DataFrame:
        """Token, before and after: a forward pass of the model as the controls say."""
        amplification = self.amplification(**controls)
        return next_token_change(
            self.model, example.prompt, amplification, always=example.target, k=SHOWN_TOKENS
        )

    def picture(self, example: Example, **controls) -> tuple[Figure, str]:
        """The figure for this state of the controls, and its alt text."""
        table = self.table(example, **controls)
        row = table[table.token == example.target].iloc[0]
        k, layer, multiplier = (controls[name] for name in ("k", "layer", "multiplier"))
        title = (
            f"{k} neurons ({controls['source']}) of layer {layer} × {multiplier:.1f}:  "
            f"P({example.target.strip()}) {row.before:.3g} → {row.after:.3g}"
        )
        figure = plots.next_tokens(table, example.target, title)
        return figure, f"Bars of the likeliest next tokens before and after. {title}."

    def _ipython_display_(self) -> None:
        if widgets_can_run():
            from IPython.display import display

            display(self._controls())
        else:
            plots.show(*self.picture(self.task.examples[0], **self.start))

    def _controls(self):
        """The live widget: every change runs the model and replaces the picture."""
        import ipywidgets as w

        n_layers, most = len(self.scores), max(12, self.start["multiplier"])
        wide, described = {"width": "98%"}, {"description_width": "6em"}
        prompt = w.Dropdown(
            options=[(e.prompt + " …", i) for i, e in enumerate(self.task.examples)],
            description="prompt", layout=wide, style=described,
        )  # fmt: skip
        controls = {
            "layer": w.IntSlider(min=0, max=n_layers - 1, description="layer"),
            "k": w.IntSlider(min=1, max=max(50, self.start["k"]), description="neurons"),
            "multiplier": w.FloatSlider(min=0, max=most, step=0.1, description="multiplier"),
            "source": w.Dropdown(options=["top scores", "random"], description="chosen by"),
        }
        for name, control in controls.items():
            control.value, control.style = self.start[name], described
        size = {"width": f"{plots.WIDTH * plots.DPI:g}px", "max_width": "100%"}
        image, message = w.Image(format="png", layout=size), w.HTML()

        def refresh(_change=None) -> None:
            example = self.task.examples[prompt.value]
            values = {name: control.value for name, control in controls.items()}
            try:
                figure, alt = self.picture(example, **values)
            except SNAError as error:  # the last good picture stays
                message.value = f"<b>{html.escape(str(error))}</b>"
            else:
                image.value = plots.to_png(figure)
                message.value = f"<p role='status'>{html.escape(alt)}</p>"

        for control in (prompt, *controls.values()):
            control.observe(refresh, "value")
        refresh()
        row = w.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
        return w.VBox([prompt, row, message, image])


def widgets_can_run() -> bool:
    """False where SNA_STATIC is set or ipywidgets is not installed."""
    wanted = os.environ.get("SNA_STATIC", "0") in ("", "0")
    return wanted and find_spec("ipywidgets") is not None
