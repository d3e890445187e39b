"""The exercises of notebook 03."""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import expit, logit

from snahelpers.check.exercise import Exercise
from snahelpers.models import load_model
from snahelpers.sweeps import Grid, sweep

_BEFORE, _AFTER = np.array([0.01, 0.2, 0.5]), np.array([0.03, 0.3, 0.4])
_GAINS = np.array([-3.0, 0.0, 2.0, 10.0, 10.5, 40.0])

task_improvement = Exercise(
    right=lambda before, after: 100 * (after.mean() - before.mean()) / before.mean(),
    cases=[(_BEFORE, _AFTER), (_AFTER, _BEFORE)],
    mistakes=[
        (
            lambda before, after: (100 * (after - before) / before).mean(),
            "That is the mean of the prompts' improvements, which one unlikely prompt can rule. "
            "First the means, then the division.",
        ),
        (
            lambda before, after: 100 * (after - before) / before,
            "That is one number a prompt; a task has one. Take the means first.",
        ),
        (
            lambda before, after: 100 * (after.mean() - before.mean()),
            "That is percentage points: divide by the mean baseline.",
        ),
        (
            lambda before, after: (after.mean() - before.mean()) / before.mean(),
            "That is a fraction: times 100 for per cent.",
        ),
    ],
    praise="Right. The mean of per cents and the per cent of means can even differ in sign.",
)

shifted_probability = Exercise(
    right=lambda p, shift: expit(logit(p) + shift),
    cases=[(0.5, 1.0), (0.02, 0.1), (0.9, -2.0)],
    mistakes=[
        (
            lambda p, shift: p + shift,
            "That adds to the probability; the shift is one of log-odds, ln(p / (1 - p)).",
        ),
        (
            lambda p, shift: p * np.exp(shift),
            "That multiplies the probability. Multiply the odds, p / (1 - p), by exp(shift).",
        ),
        (
            lambda p, shift: p / (1 - p) * np.exp(shift),
            "Those are the new odds. Back to a probability: odds / (1 + odds).",
        ),
        (
            lambda p, shift: logit(p) + shift,
            "Those are the new log-odds. Back to a probability: 1 / (1 + exp(-x)).",
        ),
    ],
    praise="Right: at 0.02 a shift of 0.1 is +10 %, at 0.9 it is +1 %.",
)

success_and_golden = Exercise(
    right=lambda gains: ((gains > 0).mean(), (gains > 10).sum()),
    cases=[(_GAINS,), (-_GAINS,)],
    mistakes=[
        (
            lambda gains: ((gains >= 0).mean(), (gains > 10).sum()),
            "No change is no success: count only improvements above 0.",
        ),
        (
            lambda gains: ((gains > 0).mean(), (gains >= 10).sum()),
            "Golden is *more* than 10 %: 10 itself does not count.",
        ),
        (
            lambda gains: ((gains > 0).sum(), (gains > 10).sum()),
            "The success rate is a share: divide by the number of configurations.",
        ),
        (
            lambda gains: ((gains > 0).mean(), (gains > 10).mean()),
            "The golden zone is a count, not a share.",
        ),
        (
            lambda gains: ((gains > 0).sum(), (gains > 10).mean()),
            "Turned round: which of the two does the paper call a rate?",
        ),
        (
            lambda gains: ((gains > 10).sum(), (gains > 0).mean()),
            "Both are right, in the other order: first the success rate.",
        ),
        (
            lambda gains: (100 * (gains > 0).mean(), (gains > 10).sum()),
            "The success rate is a share, from 0 to 1; yours is in per cent.",
        ),
        (
            lambda gains: ((gains > 0).mean(), (gains > 0.1).sum()),
            "The improvements are in per cent: 0.1 is a tenth of one.",
        ),
        (
            lambda gains: (gains > 0).mean(),
            "That is the success rate. The golden zone count is missing: return both.",
        ),
    ],
    praise="Right: a share for success, a count for the golden zone, as in the paper.",
)


@cache
def _gains(name: str) -> list[np.ndarray]:
    """What each configuration of the exercise's grid gains on select and on test (%)."""
    grid = Grid(counts=(10, 20), multipliers=(2.4,))
    frame = sweep(load_model("minnow"), name, grid, progress=False)
    return [frame.pct_improvement[frame.split == half].to_numpy() for half in ("select", "test")]


def _reporting(numbers: Callable) -> Callable:
    return lambda name: numbers(*_gains(name))


honest_report = Exercise(
    right=_reporting(lambda select, test: (select.max(), test[select.argmax()])),
    cases=[("logic_medium",)],
    mistakes=[
        (
            _reporting(lambda select, test: (select.max(), select.max())),
            "The second is what the winner gains on the prompts that made it win. Is it what new "
            "prompts would show?",
        ),
        (
            _reporting(lambda select, test: (select.max(), test.max())),
            "The second is the best of test: now these prompts choose too, and nothing is left "
            "that took no part.",
        ),
        (
            _reporting(lambda select, test: (select[test.argmax()], test.max())),
            "Your winner was chosen on test, the half that you report.",
        ),
        (
            _reporting(lambda select, test: (test.max(), select[test.argmax()])),
            "Turned round: your winner was chosen on test.",
        ),
        (
            _reporting(lambda select, test: (test[select.argmax()], select.max())),
            "The right two numbers in the other order: first where the winner was chosen.",
        ),
        (
            _reporting(
                lambda select, test: (
                    select[(select + test).argmax()],
                    test[(select + test).argmax()],
                )
            ),
            "You chose on both halves together, so that neither is new.",
        ),
        (
            _reporting(lambda select, test: (select.mean(), test.mean())),
            "Those are means over all configurations. She would use one of them: the winner.",
        ),
        (
            _reporting(lambda select, test: select.max()),
            "That is one number: return what the winner gains where it was chosen, and what you "
            "report.",
        ),
    ],
    praise="Right: the two differ, and only the second was not chosen for being large.",
)
