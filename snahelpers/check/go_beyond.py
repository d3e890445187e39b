"""The exercises of notebook 11."""

import numpy as np

from snahelpers.check.exercise import Exercise, fixed_random

_STEPS = np.array([0.1, 0.4, 0.8, 1.4])
_PLACEBOS = np.array([0.2, -0.5, 0.1, -0.05, 0.3])
_ALONE, _PARTNER, _BOTH = np.array([[0.4, 0.2, 1.0], [0.1, -0.3, 0.2], [0.3, 0.1, 1.5]])

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


def _gain(neurons):
    """Neuron 4 gains most alone; 2 and 7 need each other."""
    return 2.0 * (4 in neurons) + 3.0 * (2 in neurons and 7 in neurons) + 0.5 * (7 in neurons)


most_needed = Exercise(
    right=lambda gain, neurons: min(
        neurons, key=lambda one: gain([other for other in neurons if other != one])
    ),
    cases=[(_gain, [4, 2, 7, 9]), (_gain, [9, 4, 2]), (lambda own: -_gain(own), [2, 4, 9])],
    mistakes=[
        (
            lambda gain, neurons: max(neurons, key=lambda one: gain([one])),
            "That is the neuron that gains most *alone*. Some work only together: leave one out of "
            "all, and see what is left.",
        ),
        (
            lambda gain, neurons: max(
                neurons, key=lambda one: gain([other for other in neurons if other != one])
            ),
            "Without that one most is *left*: it is needed least.",
        ),
        (
            lambda gain, neurons: min(
                gain([other for other in neurons if other != one]) for one in neurons
            ),
            "That is what is left of the gain. Return the neuron.",
        ),
    ],
    praise="Right. What a neuron does alone and what is lost without it are two questions.",
)

growth = Exercise(
    right=lambda rise: (rise[:, 6:].mean(axis=1) - rise[:, :2].mean(axis=1)).mean(),
    cases=[(fixed_random(3, 8).numpy(),), (fixed_random(5, 8).numpy(),)],
    mistakes=[
        (
            lambda rise: (rise[:, 7] - rise[:, 0]).mean(),
            "Those are the last and the first eighth. A quarter is two of them.",
        ),
        (
            lambda rise: (rise[:, :2].mean(axis=1) - rise[:, 6:].mean(axis=1)).mean(),
            "Turned round: above 0 should mean that it grows.",
        ),
        (
            lambda rise: rise[:, 6:].mean(axis=1) - rise[:, :2].mean(axis=1),
            "That is one number a text. Return their mean.",
        ),
    ],
    praise="Right: the text is the unit, so an interval resamples texts.",
)
