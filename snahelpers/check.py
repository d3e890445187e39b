"""Exercise checks: `sna.check.zone(my_zone)` says ⏳ not tried, ✗ with a hint, or ✓.

A check knows a right answer and the mistakes people make, each with the sentence that helps.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from snahelpers.exercise import Exercise, unfinished
from snahelpers.zones import zone as zone_of


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


# --- notebook 00 ---------------------------------------------------------------------------
zone = Exercise(
    right=zone_of,
    cases=[(p,) for p in (0.0, 0.0699, 0.07, 0.085, 0.10, 0.1001, 1.0)],
    mistakes={
        "Zone 1 is P < 0.07, without 0.07 itself: the lower edge belongs to Zone 2.":
            lambda p: 1 if p <= 0.07 else 3 if p > 0.10 else 2,
        "Zone 3 is P > 0.10, without 0.10 itself: the upper edge belongs to Zone 2.":
            lambda p: 1 if p < 0.07 else 3 if p >= 0.10 else 2,
        "Both edges, 0.07 and 0.10, belong to Zone 2.":
            lambda p: 1 if p <= 0.07 else 3 if p >= 0.10 else 2,
        "Numbers, please: 1 is the zone of low P, 3 of high P. Yours are the other way round.":
            lambda p: 4 - zone_of(p),
    },
    praise="Right, edges included.",
)  # fmt: skip

improvement = Exercise(
    right=lambda before, after: 100 * (after - before) / before,
    cases=[(0.02, 0.03), (0.5, 0.6), (0.4, 0.1)],
    mistakes={
        "That is percentage points. The paper divides by the baseline.":
            lambda before, after: 100 * (after - before),
        "Divide by the baseline (before), not by what came after.":
            lambda before, after: 100 * (after - before) / after,
        "That is a fraction: times 100 for per cent.":
            lambda before, after: (after - before) / before,
        "That is the ratio in per cent; an unchanged P should give 0, not 100.":
            lambda before, after: 100 * after / before,
    },
    praise="Right. From 0.02 to 0.03 is +50 %; from 0.50 to 0.51, the same step, is +2 %.",
)  # fmt: skip

ceiling = Exercise(
    right=lambda p: 100 * (1 - p) / p,
    cases=[(0.01,), (0.07,), (0.10,), (0.5,), (1.0,)],
    mistakes={
        "That is the room in percentage points; per cent improvement is divided by P.":
            lambda p: 100 * (1 - p),
        "Close: that is P = 1 as a percentage of P. The improvement starts from P, so take P off.":
            lambda p: 100 / p,
        "That is a fraction: times 100 for per cent.":
            lambda p: (1 - p) / p,
    },
    praise="Right: at P = 0.5 nothing can improve by more than 100 %, at P = 0.01 by 9,900 %.",
)  # fmt: skip

# --- notebook 01 ---------------------------------------------------------------------------
_TASK, _NEUTRAL = _random(5, 3, 8), _random(7, 3, 8) - 0.3

differential = Exercise(
    right=lambda task, neutral: task.mean(0) - neutral.mean(0),
    cases=[(_TASK, _NEUTRAL), (_NEUTRAL, _TASK)],
    mistakes={
        "The sign is turned: neurons that fire more on the task should score above zero.":
            lambda task, neutral: neutral.mean(0) - task.mean(0),
        "No absolute value: a neuron that fires *less* on the task must score below zero.":
            lambda task, neutral: (task.mean(0) - neutral.mean(0)).abs(),
        "One score a neuron, please: average over texts (the first dimension) only.":
            lambda task, neutral: task.mean() - neutral.mean(),
        "Average over texts (the first dimension), not over neurons.":
            lambda task, neutral: task.mean((0, 2)) - neutral.mean((0, 2)),
        "There are more neutral texts than prompts: divide each sum by its own number of texts.":
            lambda task, neutral: task.sum(0) - neutral.sum(0),
    },
    praise="Right: that is the paper's differential activation, one number a neuron.",
)  # fmt: skip


def _hits(found: Sequence[int], truth: Sequence[int]) -> int:
    return len(set(map(int, found)) & set(map(int, truth)))


precision_recall = Exercise(
    right=lambda found, truth: (_hits(found, truth) / len(found), _hits(found, truth) / len(truth)),
    cases=[([1, 2, 3, 4], [3, 4, 9]), ([5], [5, 6]), ([0, 1], [2, 3, 4])],
    mistakes={
        "Swapped: precision is the share of what you *found*, recall the share of the *truth*.":
            lambda found, truth: (_hits(found, truth) / len(truth),
                                  _hits(found, truth) / len(found)),
        "Precision divides by what was found, recall by the truth; you divide both by the union.":
            lambda found, truth: (_hits(found, truth) / len({*found, *truth}),) * 2,
        "Those are counts; divide by how many were found, and by how many there are.":
            lambda found, truth: (_hits(found, truth), _hits(found, truth)),
    },
    praise="Right. With as many guesses as true neurons the two are equal.",
)  # fmt: skip

chance = Exercise(
    right=lambda k, n_true, d_mlp: n_true / d_mlp,
    cases=[(12, 12, 512), (25, 12, 512), (3, 12, 4096)],
    mistakes={
        "That is the *recall* by chance. The share of your guesses that hit does not depend on k.":
            lambda k, n_true, d_mlp: k / d_mlp,
        "That is the expected *number* of hits; precision divides it by k.":
            lambda k, n_true, d_mlp: k * n_true / d_mlp,
    },
    praise="Right: each guess hits with probability n_true / d_mlp, however many you make.",
)  # fmt: skip

# --- notebook 02 ---------------------------------------------------------------------------
_POST, _W_OUT = _random(2, 4, 10), _random(10, 6)


def _apply_hook(make_hook: Callable, case: tuple) -> Any:
    """What the hook returns, and what it left of its input: an edit in place shows there."""
    neurons, multiplier = case
    activation = _POST.clone()
    returned = make_hook(neurons, multiplier)
    if unfinished(returned):
        return returned
    edited = returned(activation, None)
    return edited if unfinished(edited) else torch.cat([edited, activation])


def _make(edit: Callable) -> Callable:
    return lambda neurons, multiplier: (
        lambda activation, hook: edit(activation, neurons, multiplier)
    )


def _scaled(activation: torch.Tensor, neurons: Sequence[int], multiplier: float) -> torch.Tensor:
    edited = activation.clone()
    edited[..., neurons] *= multiplier
    return edited


def _scaled_in_place(activation: torch.Tensor, neurons: Sequence[int], multiplier: float):
    activation[..., neurons] *= multiplier
    return activation


scaling_hook = Exercise(
    right=_make(_scaled),
    cases=[([1, 4], 3.0), ([0], 0.0), ([7, 8, 9], 1.5)],
    mistakes={
        "It scales, but in place: whatever was cached before your hook changes too. Clone first.":
            _make(_scaled_in_place),
        "That scales every neuron; scale only activation[..., neurons].":
            _make(lambda activation, neurons, m: activation * m),
        "That selects positions: the neurons are in the last dimension, activation[..., neurons].":
            _make(lambda a, neurons, m: torch.stack(
                [row * m if i in neurons else row for i, row in enumerate(a.unbind(1))], 1)),
        "That adds; amplification multiplies.":
            _make(lambda a, neurons, m: a.index_add(
                -1, torch.tensor(neurons), torch.full((*a.shape[:-1], len(neurons)), float(m)))),
    },
    praise="Right: only those neurons, and the original is untouched.",
    call=_apply_hook,
)  # fmt: skip

added_vector = Exercise(
    right=lambda post, W_out, neurons, m: (m - 1) * post[..., neurons] @ W_out[neurons],
    cases=[(_POST, _W_OUT, [2, 5], 3.0), (_POST, _W_OUT, [0, 1, 9], 0.5)],
    mistakes={
        "The model already adds these neurons once; only m - 1 times their output is new.":
            lambda post, W_out, neurons, m: m * post[..., neurons] @ W_out[neurons],
        "That is every neuron's output; take only post[..., neurons] and W_out[neurons].":
            lambda post, W_out, neurons, m: (m - 1) * post @ W_out,
        "The sign is turned: at a multiplier above 1 their output is added, not removed.":
            lambda post, W_out, neurons, m: (1 - m) * post[..., neurons] @ W_out[neurons],
    },
    praise="Right: amplifying is adding one vector to the residual stream at each position.",
)  # fmt: skip

hooked_twice = Exercise(
    right=lambda multiplier: multiplier**2,
    cases=[(1.0,), (2.4,), (3.0,)],
    mistakes={
        "Look at the activation, not at the hooks: both of them ran.":
            lambda multiplier: multiplier,
        "The second hook gets what the first one returned, so the two multiply.":
            lambda multiplier: 2 * multiplier,
    },
    praise="Right: two names, one place, so it is scaled twice.",
)  # fmt: skip
