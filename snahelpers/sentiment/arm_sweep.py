"""Three sets of neurons to amplify for a two-label answer (section 6.1), and their grid, fast.

*positive* and *negative* are the neurons tied to one label each, *both* is the two together. They
are kept as *pairs*, one row a layer: k neurons for positive, then k for negative.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.choose import contrastive_neurons
from snahelpers.errors import check_range
from snahelpers.neurons import differential_activation
from snahelpers.sentiment.margins import LABELS, decide, label_ids, prompts
from snahelpers.sweep.engines import CleanPass, batched, resume
from snahelpers.sweep.exactness import inexact_at
from snahelpers.tasks import prompt_groups

ARMS = ("positive", "negative", "both")


def contrast(model: TransformerBridge, reviews: pd.DataFrame) -> Float[Tensor, "layer d_mlp"]:
    """Mean activation on positive less that on negative reviews, of the "select" half only."""
    select = reviews[reviews.split == "select"]
    texts = [prompts(list(select.sentence[select.label == label])) for label in LABELS]
    return differential_activation(model, *texts)


def pairs(scores: Float[Tensor, "layer d_mlp"], k: int = 10) -> Int[Tensor, "layer pair"]:
    """The k highest and then the k lowest scores of every layer, most extreme first.

    Raises:
        SNAError: the two would overlap.
    """
    tails = [contrastive_neurons(scores, layer, k) for layer in range(len(scores))]
    return torch.stack([torch.cat(both) for both in tails])


def arms(pairs: Int[Tensor, "layer pair"], layer: int) -> dict[str, Int[Tensor, " n"]]:
    """The three sets of one layer, by name.

    Raises:
        SNAError: there is no such layer.
    """
    check_range("layer", layer, 0, len(pairs) - 1)
    positive, negative = pairs[layer].chunk(2)
    return dict(zip(ARMS, (positive, negative, pairs[layer]), strict=True))


@torch.no_grad()
def sweep_arms(
    model: TransformerBridge, sentences: Sequence[str], pairs: Int[Tensor, "layer pair"],
    layers: Sequence[int], multipliers: Sequence[float],
) -> dict[tuple[str, int, float], pd.DataFrame]:  # fmt: skip
    """What the model says with each arm of each layer times each multiplier.

    The same as `classify` inside `amplify`, one after the other, and several times as fast where
    the sweep's engine "resume" is exact.

    Returns:
        For each (arm, layer, multiplier) a table as from `decide`.

    Raises:
        DataError: a label is not one token, or a review is empty or too long.
    """
    ids, k = label_ids(model), pairs.shape[1] // 2
    # Engines take the first neurons of a row: "negative" needs rows that begin with them.
    orders = [(("positive", "both"), pairs), (("negative",), pairs.roll(k, dims=1))]
    keys = [(arm, layer, m) for layer in layers for m in multipliers for arm in ARMS]
    diffs = {key: np.empty(len(sentences)) for key in keys}
    groups = list(prompt_groups(model, prompts(sentences)))
    engine = _engine(model, groups, pairs, layers, max(multipliers))
    for places, tokens in groups:
        for names, order in orders:
            clean = CleanPass(model, tokens, order, "all")
            counts = dict(zip(names, (k, 2 * k), strict=False))
            todo = [(name, multiplier) for name in names for multiplier in multipliers]
            for layer in layers:
                logits = engine(model, clean, layer, [(counts[name], m) for name, m in todo])
                found = (logits[..., ids[0]] - logits[..., ids[1]]).double().cpu().numpy()
                for (name, multiplier), row in zip(todo, found, strict=True):
                    diffs[name, layer, multiplier][places.numpy()] = row
    return {key: decide(diff) for key, diff in diffs.items()}


def _engine(model, groups, pairs, layers, multiplier):
    """The fastest engine, if it agrees with the plain one on two prompts of each length."""
    first = {tokens.shape[1]: tokens[:2] for _, tokens in groups}.values()
    passes = (
        (CleanPass(model, few, pairs, "all"), few.new_tensor(label_ids(model)[:1] * len(few)))
        for few in first
    )
    inexact = inexact_at(model, passes, layers, (pairs.shape[1], multiplier))
    return batched if inexact else resume
