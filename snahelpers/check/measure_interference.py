"""The exercises of notebook 05."""

from functools import partial

import numpy as np

from snahelpers.check.exercise import Exercise
from snahelpers.scoring import repetition

_LOSSES, _COUNTS = np.array([1.0, 3.0, 2.0]), np.array([30, 5, 10])
_LOOP = [5, 1, 2, 3, 1, 2, 3, 1, 2, 3]


# Made-up effects: of the push that was chosen, then of its nineteen stand-ins.
_HARMED = (-1.0, *(i / 20 for i in range(-18, 1)))
_AS_ALL = (-0.45, *(i / 10 for i in range(-12, 7)))
_HELPED = (0.2, *(i / 20 for i in range(6, 25)))


def _experiment(
    effect, push, stand_ins, share=np.mean, decide=lambda own, p: own < 0 and p <= 0.05
):
    own, others = effect(push), [effect(other) for other in stand_ins]
    p = share([value <= own for value in (own, *others)])
    return own, p, decide(own, p)


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
    right=lambda losses, counts: np.exp((losses * counts).sum() / counts.sum()),
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

experiment = Exercise(
    right=_experiment,
    cases=[_HARMED, _AS_ALL, _HELPED],
    call=lambda answer, effects: answer(effects.__getitem__, 0, range(1, 20)),
    mistakes=[
        (
            partial(_experiment, share=lambda lower: np.mean(lower[1:])),
            "Your p can be 0, which says that chance cannot do it. Nineteen draws cannot say so "
            "much: which twentieth push is as harmful as the choice?",
        ),
        (
            partial(_experiment, share=lambda lower: 1 + 1 / len(lower) - np.mean(lower)),
            "Turned round: you count the pushes that harm less. Harm is below 0.",
        ),
        (
            partial(_experiment, decide=lambda own, p: own < 0),
            "A loss alone is no interference: in one of the cases random pushes harm as much.",
        ),
        (
            partial(_experiment, decide=lambda own, p: p <= 0.05),
            "Effect and p are right, but one of the pushes helps, only less than random ones do. "
            "A gain is no interference.",
        ),
        (
            lambda effect, push, stand_ins: _experiment(effect, push, stand_ins[:1]),
            "You compare with one random push. Any one may be weak by luck: take all of them.",
        ),
    ],
    praise="Right. The smallest p that nineteen stand-ins can give is 1/20.",
)
