"""The exercises of notebook 01."""

from collections.abc import Sequence
from functools import cache, partial

import snahelpers as sna
from snahelpers.check.exercise import Exercise, amplified, fixed_random, on_planted

_TASK, _NEUTRAL = fixed_random(5, 3, 8), fixed_random(7, 3, 8) - 0.3

differential = Exercise(
    right=lambda task, neutral: task.mean(0) - neutral.mean(0),
    cases=[(_TASK, _NEUTRAL), (_NEUTRAL, _TASK)],
    mistakes=[
        (
            lambda task, neutral: neutral.mean(0) - task.mean(0),
            "The sign is turned: neurons that fire more on the task should score above zero.",
        ),
        (
            lambda task, neutral: (task.mean(0) - neutral.mean(0)).abs(),
            "No absolute value: a neuron that fires *less* on the task must score below zero.",
        ),
        (
            lambda task, neutral: task.mean() - neutral.mean(),
            "That is one number for all neurons; each should have its own.",
        ),
        (
            lambda task, neutral: task.mean((0, 2)) - neutral.mean((0, 2)),
            "Your answer has no dimension for neurons any more. Which of the three is to go?",
        ),
        (
            lambda task, neutral: task.sum(0) - neutral.sum(0),
            "Sums grow with the number of texts, and there are more neutral texts than prompts.",
        ),
    ],
    praise="Right: that is the paper's differential activation, one number a neuron.",
)


def _hits(found: Sequence[int], truth: Sequence[int]) -> int:
    return len(set(map(int, found)) & set(map(int, truth)))


precision_recall = Exercise(
    right=lambda found, truth: (_hits(found, truth) / len(found), _hits(found, truth) / len(truth)),
    cases=[([1, 2, 3, 4], [3, 4, 9]), ([5], [5, 6]), ([0, 1], [2, 3, 4])],
    mistakes=[
        (
            lambda found, truth: (
                _hits(found, truth) / len(truth),
                _hits(found, truth) / len(found),
            ),
            "Swapped: precision is the share of what you *found*, recall the share of the *truth*.",
        ),
        (
            lambda found, truth: (_hits(found, truth) / len({*found, *truth}),) * 2,
            "Precision divides by what was found, recall by the truth; you divide both by the "
            "union.",
        ),
        (
            lambda found, truth: (_hits(found, truth), _hits(found, truth)),
            "Those are counts; divide by how many were found, and by how many there are.",
        ),
    ],
    praise="Right. With as many guesses as true neurons the two are equal.",
)

chance = Exercise(
    right=lambda k, n_true, d_mlp: n_true / d_mlp,
    cases=[(12, 12, 512), (25, 12, 512), (3, 12, 4096)],
    mistakes=[
        (
            lambda k, n_true, d_mlp: k / d_mlp,
            "That is the *recall* by chance. The share of your guesses that hit does not depend "
            "on k.",
        ),
        (
            lambda k, n_true, d_mlp: k * n_true / d_mlp,
            "That is the expected *number* of hits; precision divides it by k.",
        ),
    ],
    praise="Right: each guess hits with probability n_true / d_mlp, however many you make.",
)


@cache
def _suspects(model, task, layer: int, k: int) -> list[int]:
    """The k neurons of the layer with the highest scores on the select half."""
    prompts, neutral = task.split("select").prompts, sna.load_neutral("minnow")[:60]
    return sna.top_neurons(sna.differential_activation(model, prompts, neutral), layer, k).tolist()


@cache
def _by_effect(model, task, layer: int) -> list[int]:
    """The twelve suspects by what each does when it is amplified alone, the strongest first."""
    gain = partial(amplified, model, task.split("select"), layer, outcome="logodds")
    return sorted(_suspects(model, task, layer, 12), key=lambda n: -gain([n], 2.4))


strongest_three = Exercise(
    right=lambda *given: _by_effect(*given)[:3],
    cases=[(7,)],
    mistakes=[
        (
            lambda *given: _suspects(*given, 3),
            "These three have the highest scores: they respond most. Have you tried which do most?",
        ),
        (
            lambda *given: _by_effect(*given)[2::-1],
            "The right three, but the strongest should come first.",
        ),
        (
            lambda *given: _by_effect(*given)[:-4:-1],
            "Of your suspects these do the least.",
        ),
    ],
    praise="Right. What responds most and what does most are two questions.",
    call=on_planted,
)
