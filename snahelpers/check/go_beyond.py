"""The exercises of notebook 11."""

import numpy as np

from snahelpers.check.exercise import Exercise

_STEPS = np.array([0.1, 0.4, 0.8, 1.4])
_PLACEBOS = np.array([0.2, -0.5, 0.1, -0.05, 0.3])
_ALONE, _PARTNER, _BOTH = np.array([[0.4, 0.2, 1.0], [0.1, -0.3, 0.2], [0.3, 0.1, 1.5]])
_DIRECTION, _RIGHT = np.array([[1.0, 0.5, -2.0], [0.3, 2.0, 1.0]])
_WRONG = np.array([[0.2, 1.0, 0.5], [-0.4, 0.0, 1.5]])
_WRITTEN = (np.array([5, 7, 7, 2]), np.array([5, 7, 1, 3]))

best_multiplier = Exercise(
    right=lambda slope, gained, far, steps: (
        1 + steps[(slope * steps + (gained / far - slope) / far * steps**2).argmax()]
    ),
    cases=[(2.0, 0.3, 1.4, _STEPS), (0.5, 1.2, 1.4, _STEPS), (1.0, 0.9, 1.4, _STEPS)],
    mistakes=[
        (
            lambda slope, gained, far, steps: 1 + steps[(slope * steps).argmax()],
            "That is first order alone: while the slope is positive it always names the largest. "
            "Bend the line so that it passes through the measured gain at `far`.",
        ),
        (
            lambda slope, gained, far, steps: steps[
                (slope * steps + (gained / far - slope) / far * steps**2).argmax()
            ],
            "That is how far the multiplier is from 1. Add the 1.",
        ),
        (
            lambda slope, gained, far, steps: (
                1 + steps[(slope * steps + (gained - slope * far) * steps**2).argmax()]
            ),
            "At `far` your curve misses the measured gain: what is missing there, divided by far².",
        ),
    ],
    praise="Right: a slope and one measured point make a curve with a top.",
)

placebo_p = Exercise(
    right=lambda step, placebos: (1 + (np.abs(placebos) >= abs(step)).sum()) / (1 + len(placebos)),
    cases=[(0.3, _PLACEBOS), (-0.4, _PLACEBOS), (0.6, _PLACEBOS)],
    mistakes=[
        (
            lambda step, placebos: (np.abs(placebos) >= abs(step)).mean(),
            "The step itself counts as one more, so that p is never 0: add 1 above and below.",
        ),
        (
            lambda step, placebos: (1 + (placebos >= step).sum()) / (1 + len(placebos)),
            "A step down is a step too: compare sizes.",
        ),
    ],
    praise="Right: an edge is special only if edges elsewhere are not like it.",
)

interaction = Exercise(
    right=lambda alone, partner, both: (both - alone - partner).mean(),
    cases=[(_ALONE, _PARTNER, _BOTH), (_ALONE, -_PARTNER, _BOTH), (_BOTH, _ALONE, _PARTNER)],
    mistakes=[
        (
            lambda alone, partner, both: (both - alone).mean(),
            "That is what the partner adds. Subtract what it does by itself, too.",
        ),
        (
            lambda alone, partner, both: (both - (alone + partner) / 2).mean(),
            "Additive means: as much as the *sum* of the two, not as their mean.",
        ),
        (
            lambda alone, partner, both: both - alone - partner,
            "That is one number a prompt. Return the mean.",
        ),
    ],
    praise="Right: 0 if they add up, below 0 if they are in each other's way.",
)

writes = Exercise(
    right=lambda fired, multiplier, direction, right, wrong: (
        (multiplier - 1) * fired * direction @ (right - wrong.mean(axis=0))
    ),
    cases=[
        (1.5, 2.4, _DIRECTION, _RIGHT, _WRONG),
        (-0.5, 3.0, _RIGHT, _DIRECTION, _WRONG),
        (0.7, 0.0, _DIRECTION, _RIGHT, _WRONG),
    ],
    mistakes=[
        (
            lambda fired, multiplier, direction, right, wrong: (
                multiplier * fired * direction @ (right - wrong.mean(axis=0))
            ),
            "The neuron writes once anyway: amplifying adds (multiplier − 1) times what it wrote.",
        ),
        (
            lambda fired, multiplier, direction, right, wrong: (
                (multiplier - 1) * fired * direction @ right
            ),
            "That may lift every answer alike. Subtract the mean over the wrong ones.",
        ),
        (
            lambda fired, multiplier, direction, right, wrong: (
                (multiplier - 1) * direction @ (right - wrong.mean(axis=0))
            ),
            "A neuron that does not fire writes nothing: multiply by how strongly it fires.",
        ),
    ],
    praise="Right. It is the direct part only: what later layers make of it comes on top.",
)

first_difference = Exercise(
    right=lambda plain, amplified: next(
        (i for i, (a, b) in enumerate(zip(plain, amplified, strict=True)) if a != b), len(plain)
    ),
    cases=[_WRITTEN, (_WRITTEN[0], _WRITTEN[0]), (_WRITTEN[0], _WRITTEN[0] + 1)],
    mistakes=[
        (
            lambda plain, amplified: (plain != amplified).sum(),
            "That counts differences. After the first one the texts are two different texts.",
        ),
        (
            lambda plain, amplified: int((plain != amplified).argmax()),
            "For equal texts argmax gives 0, as if they differed at once. Return their length.",
        ),
    ],
    praise="Right: greedy text either goes the same way or parts for good.",
)
