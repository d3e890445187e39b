"""A row of the interference matrix and a text, live: the panel of notebook 05."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill

import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers import plots
from snahelpers.amplify import Amplification
from snahelpers.choose import top_neurons
from snahelpers.generate import write
from snahelpers.interference import answers, effects, side_effects
from snahelpers.tasks import Task
from snahelpers.widgets.panel import Panel


class InterferenceMap(Panel):
    """Amplify one domain's neurons and watch every domain, neutral text and a continuation.

    Args:
        model: From `load_model`; every change runs it on all prompts and lets it write.
        tasks: What is measured.
        texts: Neutral sentences, for the loss.
        scores: Of each domain that can be amplified, as from `differential_activation`.
        prompt: What the model continues.
        layer: The first layer shown.
        k: The number of neurons.
        multiplier: The first multiplier shown.

    Raises:
        SNAError: layer, k or multiplier is out of range.
    """

    def __init__(
        self, model: TransformerBridge, tasks: Iterable[Task], texts: Sequence[str],
        scores: Mapping[str, Float[Tensor, "layer d_mlp"]],
        *, prompt: str, layer: int, k: int, multiplier: float,
    ) -> None:  # fmt: skip
        self.model, self.tasks, self.texts = model, list(tasks), list(texts)
        self.scores, self.prompt, self.k = scores, prompt, k
        self.choices = {
            "amplify": list(scores),
            "layer": (0, model.cfg.n_layers - 1, 1),
            "multiplier": (0.0, max(16.0, multiplier), 0.5),
        }
        first = (next(iter(scores)), layer, multiplier)
        self.start = dict(zip(self.choices, first, strict=True))
        self.amplification(**self.start)
        self.before = answers(model, self.tasks, self.texts)

    def amplification(self, **values) -> Amplification:
        """The amplification that the controls describe."""
        neurons = top_neurons(self.scores[values["amplify"]], values["layer"], self.k)
        return Amplification(values["layer"], neurons, values["multiplier"])

    def row(self, **values) -> pd.DataFrame:
        """One row of the interference matrix, left of 0 if it hurts: domain, value, low, high."""
        push = self.amplification(**values)
        changes = side_effects(self.model, self.tasks, self.texts, push, before=self.before)
        changes["logodds"] = changes.logodds.fillna(-changes.loss)  # of texts: less loss, in nats
        return effects(changes, n_resamples=200).query("outcome == 'logodds'")

    def picture(self, **values) -> tuple[Figure, str]:
        """The row of the matrix, and the text below it."""
        row = self.row(**values)
        [text] = write(self.model, [self.prompt], self.amplification(**values)).text
        title = (
            f"{self.k} {values['amplify']} neurons of layer {values['layer']} × "
            f"{values['multiplier']:.1f}"
        )
        figure = plots.beside_random(
            row, "domain", title=title, xlabel="change of log-odds (neutral: of −loss), in nats"
        )
        told = f"{self.prompt} … {text}".replace("\n", " / ")
        ax = figure.axes[0]
        ax.set_xlabel(f"{ax.get_xlabel()}\n\n{fill(told, 80)}", parse_math=False)
        numbers = ", ".join(f"{r.domain} {r.value:+.3g}" for r in row.itertuples())
        return figure, f"{title}. Change of log-odds: {numbers}. It writes: {told}"
