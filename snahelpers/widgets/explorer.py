"""One prompt, explored: the panel of notebooks 00 to 02."""

import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers import plots
from snahelpers.amplify import Amplification
from snahelpers.choose import random_neurons, top_neurons
from snahelpers.measure import next_token_change
from snahelpers.tasks import Task
from snahelpers.widgets.panel import Panel

SHOWN_TOKENS = 7


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
