"""The exercises of notebook 05."""

import numpy as np

from snahelpers.check.exercise import Exercise
from snahelpers.scoring import repetition

_LOSSES, _COUNTS = np.array([1.0, 3.0, 2.0]), np.array([30, 5, 10])
_LOOP = [5, 1, 2, 3, 1, 2, 3, 1, 2, 3]


def _perplexity(losses, counts):
    return np.exp((losses * counts).sum() / counts.sum())


jaccard = Exercise(
    right=lambda a, b: len(set(a) & set(b)) / len(set(a) | set(b)),
    cases=[([1, 2, 3], [3, 4]), ([1, 2], [1, 2]), ([7], [8, 9])],
    mistakes=[
        (
            lambda a, b: len(set(a) & set(b)) / len(a),
            "That is the share of the first set. Jaccard is symmetric: divide by the union.",
        ),
        (
            lambda a, b: len(set(a) & set(b)) / (len(a) + len(b)),
            "Neurons in both sets are counted twice below the line: divide by the size of the "
            "union.",
        ),
        (
            lambda a, b: 2 * len(set(a) & set(b)) / (len(a) + len(b)),
            "That is Dice's coefficient. Jaccard divides what is shared by the size of the union.",
        ),
    ],
    praise="Right: 1 for the same set, 0 for sets that share nothing, and a ↔ b changes nothing.",
)

untouched_layers = Exercise(
    right=lambda layer, n_layers: list(range(layer)),
    cases=[(4, 12), (0, 12), (11, 12)],
    mistakes=[
        (
            lambda layer, n_layers: list(range(layer + 1)),
            "The amplified layer's own neurons do change: that is the edit.",
        ),
        (
            lambda layer, n_layers: list(range(layer + 1, n_layers)),
            "Turned round: those come later and read the changed residual stream.",
        ),
        (
            lambda layer, n_layers: [other for other in range(n_layers) if other != layer],
            "The layers after it are not safe: they read the changed residual stream.",
        ),
    ],
    praise="Right. But the answer is read after the last layer, so after any edit.",
)

perplexity = Exercise(
    right=_perplexity,
    cases=[(_LOSSES, _COUNTS), (_LOSSES[:2], _COUNTS[:2])],
    mistakes=[
        (
            lambda losses, counts: np.exp(losses.mean()),
            "A text of 5 tokens counts as much there as one of 30: weight each text by its tokens.",
        ),
        (
            lambda losses, counts: np.exp(losses).mean(),
            "That is the mean of the texts' perplexities. Take the mean of the losses first, then"
            " exp.",
        ),
        (
            lambda losses, counts: (losses * counts).sum() / counts.sum(),
            "That is the mean loss, in nats. Perplexity is exp of it.",
        ),
        (
            lambda losses, counts: (np.exp(losses) * counts).sum() / counts.sum(),
            "The exponent comes last: weight the losses, not the texts' perplexities.",
        ),
    ],
    praise="Right: the model is as unsure as between that many equally likely tokens.",
)

repetition_rate = Exercise(
    right=repetition,
    cases=[(_LOOP, 3), (_LOOP, 2), ([1, 2, 3, 4], 3)],
    mistakes=[
        (
            lambda tokens, n: 1 - repetition(tokens, n),
            "That is the share of runs that are new. The repetition rate is the rest of them.",
        ),
        (
            lambda tokens, n: repetition(tokens, 1),
            "That counts single tokens, and any long text repeats those. Count runs of n tokens.",
        ),
        (
            lambda tokens, n: repetition(tokens, n) * (len(tokens) - n + 1) / len(tokens),
            "A text of T tokens has T - n + 1 runs of n; divide by those, not by T.",
        ),
    ],
    praise="Right: near 1, the model says one thing over and over.",
)
