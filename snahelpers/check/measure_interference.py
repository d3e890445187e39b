"""The exercises of notebook 05."""

import numpy as np

from snahelpers.check.exercise import Exercise
from snahelpers.generate import repetition

_LOSSES, _COUNTS = np.array([1.0, 3.0, 2.0]), np.array([30, 5, 10])
_LOOP = [5, 1, 2, 3, 1, 2, 3, 1, 2, 3]


def _perplexity(losses, counts):
    return np.exp((losses * counts).sum() / counts.sum())


jaccard = Exercise(
    right=lambda a, b: len(set(a) & set(b)) / len(set(a) | set(b)),
    cases=[([1, 2, 3], [3, 4]), ([1, 2], [1, 2]), ([7], [8, 9])],
    mistakes={
        "That is the share of the first set. Jaccard is symmetric: divide by the union.":
            lambda a, b: len(set(a) & set(b)) / len(a),
        "Neurons in both sets are counted twice below the line: divide by the size of the union.":
            lambda a, b: len(set(a) & set(b)) / (len(a) + len(b)),
        "That is Dice's coefficient. Jaccard divides what is shared by the size of the union.":
            lambda a, b: 2 * len(set(a) & set(b)) / (len(a) + len(b)),
    },
    praise="Right: 1 for the same set, 0 for sets that share nothing, and a ↔ b changes nothing.",
)  # fmt: skip

untouched_layers = Exercise(
    right=lambda layer, n_layers: list(range(layer)),
    cases=[(4, 12), (0, 12), (11, 12)],
    mistakes={
        "The amplified layer's own neurons do change: that is the edit.":
            lambda layer, n_layers: list(range(layer + 1)),
        "Turned round: those come later and read the changed residual stream.":
            lambda layer, n_layers: list(range(layer + 1, n_layers)),
        "The layers after it are not safe: they read the changed residual stream.":
            lambda layer, n_layers: [other for other in range(n_layers) if other != layer],
    },
    praise="Right. But the answer is read after the last layer, so after any edit.",
)  # fmt: skip

perplexity = Exercise(
    right=_perplexity,
    cases=[(_LOSSES, _COUNTS), (_LOSSES[:2], _COUNTS[:2])],
    mistakes={
        "A text of 5 tokens counts as much there as one of 30: weight each text by its tokens.":
            lambda losses, counts: np.exp(losses.mean()),
        "That is the mean of the texts' perplexities. Take the mean of the losses first, then exp.":
            lambda losses, counts: np.exp(losses).mean(),
        "That is the mean loss, in nats. Perplexity is exp of it.":
            lambda losses, counts: (losses * counts).sum() / counts.sum(),
        "The exponent comes last: weight the losses, not the texts' perplexities.":
            lambda losses, counts: (np.exp(losses) * counts).sum() / counts.sum(),
    },
    praise="Right: the model is as unsure as between that many equally likely tokens.",
)  # fmt: skip

repetition_rate = Exercise(
    right=repetition,
    cases=[(_LOOP, 3), (_LOOP, 2), ([1, 2, 3, 4], 3)],
    mistakes={
        "That is the share of runs that are new. The repetition rate is the rest of them.":
            lambda tokens, n: 1 - repetition(tokens, n),
        "That counts single tokens, and any long text repeats those. Count runs of n tokens.":
            lambda tokens, n: repetition(tokens, 1),
        "A text of T tokens has T - n + 1 runs of n; divide by those, not by T.":
            lambda tokens, n: repetition(tokens, n) * (len(tokens) - n + 1) / len(tokens),
    },
    praise="Right: near 1, the model says one thing over and over.",
)  # fmt: skip
