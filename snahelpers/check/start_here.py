"""The exercises of notebook 00."""

import snahelpers as sna
from snahelpers.check.exercise import Exercise, amplified, on_planted
from snahelpers.zones import zone as zone_of

zone = Exercise(
    right=zone_of,
    cases=[(p,) for p in (0.0, 0.0699, 0.07, 0.085, 0.10, 0.1001, 1.0)],
    mistakes=[
        (
            lambda p: 1 if p <= 0.07 else 3 if p > 0.10 else 2,
            "Zone 1 is P < 0.07, without 0.07 itself: the lower edge belongs to Zone 2.",
        ),
        (
            lambda p: 1 if p < 0.07 else 3 if p >= 0.10 else 2,
            "Zone 3 is P > 0.10, without 0.10 itself: the upper edge belongs to Zone 2.",
        ),
        (
            lambda p: 1 if p <= 0.07 else 3 if p >= 0.10 else 2,
            "Both edges, 0.07 and 0.10, belong to Zone 2.",
        ),
        (
            lambda p: 4 - zone_of(p),
            "Numbers, please: 1 is the zone of low P, 3 of high P. Yours are the other way round.",
        ),
    ],
    praise="Right, edges included.",
)

improvement = Exercise(
    right=lambda before, after: 100 * (after - before) / before,
    cases=[(0.02, 0.03), (0.5, 0.6), (0.4, 0.1)],
    mistakes=[
        (
            lambda before, after: 100 * (after - before),
            "That is percentage points. The paper divides by the baseline.",
        ),
        (
            lambda before, after: 100 * (after - before) / after,
            "Divide by the baseline (before), not by what came after.",
        ),
        (
            lambda before, after: (after - before) / before,
            "That is a fraction: times 100 for per cent.",
        ),
        (
            lambda before, after: 100 * after / before,
            "That is the ratio in per cent; an unchanged P should give 0, not 100.",
        ),
    ],
    praise="Right. From 0.02 to 0.03 is +50 %; from 0.50 to 0.51, the same step, is +2 %.",
)

ceiling = Exercise(
    right=lambda p: 100 * (1 - p) / p,
    cases=[(0.01,), (0.07,), (0.10,), (0.5,), (1.0,)],
    mistakes=[
        (
            lambda p: 100 * (1 - p),
            "That is the room in percentage points; per cent improvement is divided by P.",
        ),
        (
            lambda p: 100 / p,
            "Close: that is P = 1 as a percentage of P. What would yours be at P = 1, where "
            "nothing can improve?",
        ),
        (
            lambda p: (1 - p) / p,
            "That is a fraction: times 100 for per cent.",
        ),
    ],
    praise="Right: at P = 0.5 nothing can improve by more than 100 %, at P = 0.01 by 9,900 %.",
)


def _draws(model, task, layer, neurons, *, split="test", seeds=range(8)) -> list[float]:
    """The mean P under each draw of as many other neurons of the layer."""
    draws = (sna.random_neurons(model.cfg.d_mlp, len(neurons), s, exclude=neurons) for s in seeds)
    return [amplified(model, task.split(split), layer, others, 2.4) for others in draws]


best_of_random = Exercise(
    right=lambda *given: max(_draws(*given)),
    cases=[(0, list(range(12)))],
    mistakes=[
        (
            lambda *given: max(_draws(*given, split="select")),
            "Those are the facts that the neurons were found on. Judge on the other half.",
        ),
        (
            lambda *given: max(_draws(*given, seeds=[0])),
            "That is one draw, or the same one eight times: does the seed change?",
        ),
        (
            lambda *given: sum(_draws(*given)) / 8,
            "That is what random neurons do on average; the question is the best of the draws.",
        ),
        (
            lambda model, task, layer, neurons: amplified(
                model, task.split("test"), layer, neurons, 2.4
            ),
            "That is what the neurons themselves do. Draw others, without them.",
        ),
    ],
    praise="Right. That is how well eight tries do by luck: compare it with the found neurons.",
    call=on_planted,
)
