"""The panel of notebook 06: reviews moving across the decision line."""

import pandas as pd
from jaxtyping import Int
from matplotlib.figure import Figure
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers import plots
from snahelpers.amplify import Amplification, amplify
from snahelpers.choose import random_neurons
from snahelpers.sentiment import ARMS, arms, classify, compare, decide
from snahelpers.widgets.panel import Panel

MAX_MULTIPLIER, MAX_SHIFT = 12.0, 3.0


class MarginMap(Panel):
    """Amplify one arm in one layer, or shift all answers alike, and watch the margins move.

    Args:
        model: From `load_model`; every change is a forward pass of it on all reviews.
        reviews: What to classify: columns sentence and label.
        pairs: The arms' neurons, as from `pairs`.
        layer: The first layer shown.
        multiplier: The first multiplier shown.
        arm: The first arm shown: positive, negative, both, or random (as many as both).

    Raises:
        SNAError: layer or multiplier is out of range.
    """

    def __init__(
        self, model: TransformerBridge, reviews: pd.DataFrame,
        pairs: Int[Tensor, "layer pair"], *, layer: int, multiplier: float, arm: str = "positive",
    ) -> None:  # fmt: skip
        self.model, self.reviews, self.pairs = model, reviews, pairs
        self.choices = {
            "arm": [*ARMS, "random"],
            "layer": (0, len(pairs) - 1, 1),
            "multiplier": (0.0, max(MAX_MULTIPLIER, multiplier), 0.5),
            "shift": (-MAX_SHIFT, MAX_SHIFT, 0.1),
        }
        self.start = {"arm": arm, "layer": layer, "multiplier": multiplier, "shift": 0.0}
        self.amplification(**self.start)
        self.before = classify(model, list(reviews.sentence))

    def amplification(self, **values) -> Amplification:
        """The amplification that the controls describe."""
        layer = values["layer"]
        sets = arms(self.pairs, layer)
        sets["random"] = random_neurons(self.model.cfg.d_mlp, self.pairs.shape[1], seed=layer)
        return Amplification(layer, sets[values["arm"]], values["multiplier"])

    def table(self, **values) -> pd.DataFrame:
        """What the model says of each review, as the controls say."""
        with amplify(self.model, self.amplification(**values)):
            after = classify(self.model, list(self.reviews.sentence))
        return decide(after.logit_diff.to_numpy() + values["shift"])

    def picture(self, **values) -> tuple[Figure, str]:
        """Every review by its signed margin before and after, coloured by its gold label."""
        after = self.table(**values)
        told = compare(self.before, after, list(self.reviews.label)).set_index("zone")
        moves = ", ".join(f"{_name(z)} {row.gain:+.1f}" for z, row in told.iterrows())
        title = f"{values['arm']}, layer {values['layer']} × {values['multiplier']:.1f}"
        if values["shift"]:
            title += f", all shifted by {values['shift']:+.1f}"
        points = self.reviews[["label"]].assign(
            before=self.before.logit_diff.to_numpy(), after=after.logit_diff.to_numpy()
        )
        figure = plots.margins(points, title)
        fixed, broken = told.loc["all", ["fixed", "broken"]].astype(int)
        return figure, (
            f"Each review's margin before and after: {title}. {fixed} answers fixed, {broken} "
            f"broken; accuracy in percentage points: {moves}."
        )


def _name(zone: int | str) -> str:
    return "all" if zone == "all" else f"Zone {zone}"
