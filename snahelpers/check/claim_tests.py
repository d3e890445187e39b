"""The exercises of notebook 07."""

import numpy as np
from scipy.special import logit

from snahelpers.check.exercise import Exercise

_SELECT, _TEST = np.array([3.0, 41.0, 12.0, -8.0]), np.array([9.0, 4.0, -2.0, 6.0])
_OBSERVED = np.array([1.5, 3.0, 2.0])
_FLIPPED = np.array(
    [
        [0.5, 1.0, 3.5],
        [3.2, 3.1, 0.2],
        [1.0, 3.0, -2.0],
        [-1.0, 0.4, 2.9],
        [4.0, 3.6, 3.3],
        [0.1, -3.0, 1.2],
    ]
)
_BEFORE, _DIMMED = np.array([0.6, 0.3, 0.9]), np.array([0.1, 0.02, 0.5])
_AMPLIFIED = np.array([0.4, 0.05, 0.85])


def _above(one, other):
    """How far the mean log-odds of one lie above those of the other."""
    return logit(one).mean() - logit(other).mean()


winner_on_new_prompts = Exercise(
    right=lambda select, test: test[select.argmax()],
    cases=[(_SELECT, _TEST), (_TEST, _SELECT), (-_SELECT, -_TEST)],
    mistakes=[
        (
            lambda select, test: test.max(),
            "That is the best of test: now the new prompts choose, and are new no longer. Choose "
            "by select alone.",
        ),
        (
            lambda select, test: select.max(),
            "That is what the winner did on the prompts that chose it. What does it do on test?",
        ),
        (
            lambda select, test: select.argmax(),
            "That is which configuration wins. Return its value on test.",
        ),
        (
            lambda select, test: test.mean(),
            "That is the mean of all configurations on test. Only the winner would be reported.",
        ),
        (
            lambda select, test: select[test.argmax()],
            "Turned round: choose on select, report on test.",
        ),
    ],
    praise="Right: it may not be the best configuration, but its number is no product of choosing.",
)

best_of_many_p_value = Exercise(
    right=lambda observed, flipped: (
        (1 + (flipped.max(axis=1) >= observed.max()).sum()) / (1 + len(flipped))
    ),
    cases=[(_OBSERVED, _FLIPPED), (_OBSERVED + 0.4, _FLIPPED), (_OBSERVED[::-1] / 2, _FLIPPED)],
    mistakes=[
        (
            lambda observed, flipped: (
                (1 + (flipped[:, observed.argmax()] >= observed.max()).sum()) / (1 + len(flipped))
            ),
            "That is this one configuration against itself, as if no other had been tried. In "
            "each flip, too, the best of all is taken.",
        ),
        (
            lambda observed, flipped: (flipped.max(axis=1) >= observed.max()).mean(),
            "With this p can be 0. The data as they are count as one more flip, and they reach "
            "themselves.",
        ),
        (
            lambda observed, flipped: (
                (1 + (flipped.max(axis=1) <= observed.max()).sum()) / (1 + len(flipped))
            ),
            "Turned round: count the flips whose best does *at least as well* as what was "
            "observed.",
        ),
        (
            lambda observed, flipped: (1 + (flipped >= observed.max()).sum()) / (1 + flipped.size),
            "That counts every configuration of every flip. Each flip counts once, by its best.",
        ),
        (
            lambda observed, flipped: (
                (1 + (flipped.max(axis=1) > observed.max()).sum()) / (1 + len(flipped))
            ),
            "A flip that equals the observed one counts as well: use >=.",
        ),
    ],
    praise="Right: a best set against bests. It holds however alike the configurations are.",
)

recovered_share = Exercise(
    right=lambda before, dimmed, amplified: _above(amplified, dimmed) / _above(before, dimmed),
    cases=[(_BEFORE, _DIMMED, _AMPLIFIED), (_BEFORE, _DIMMED, _DIMMED / 2)],
    mistakes=[
        (
            lambda before, dimmed, amplified: (
                (amplified.mean() - dimmed.mean()) / (before.mean() - dimmed.mean())
            ),
            "That is the share of the lost probability. Take log-odds of each prompt, then means.",
        ),
        (
            lambda before, dimmed, amplified: amplified.mean() / before.mean(),
            "That sets what is there against what was. Nothing recovered must give 0: subtract "
            "what dimming left, above and below the line.",
        ),
        (
            lambda before, dimmed, amplified: logit(amplified).mean() / logit(before).mean(),
            "That is log-odds against log-odds, and these have no natural zero: subtract those of"
            " dimmed, above and below the line.",
        ),
        (
            lambda before, dimmed, amplified: (
                (logit(amplified) - logit(dimmed)) / (logit(before) - logit(dimmed))
            ).mean(),
            "That is the mean of the prompts' shares, which one prompt that lost little can rule."
            " First the means, then the division.",
        ),
        (
            lambda before, dimmed, amplified: _above(before, dimmed) / _above(amplified, dimmed),
            "Turned round: what came back, divided by what was lost.",
        ),
    ],
    praise="Right: 0 is nothing, 1 is all of it, and below 0 amplifying made it worse.",
)

beats_every_control = Exercise(
    right=lambda strength: 0 < strength < 0.8,
    cases=[(0.3,), (0.0,), (1.0,)],
    mistakes=[
        (
            lambda strength: True,
            "You say yes everywhere, even at 0, where the facts are gone. A gain alone decides "
            "nothing: is it larger than a temperature's, and than that of random neurons?",
        ),
        (
            lambda strength: strength < 0.8,
            "You say yes at 0, where the facts are gone. Random neurons alone do not show that: "
            "the amplification must also gain more than a temperature.",
        ),
        (
            lambda strength: False,
            "You say no everywhere, and a test that cannot say yes is worthless. At 0.3 the facts "
            "are there: what do `sna.compare`'s columns difference and low say?",
        ),
    ],
    praise="Right: yes where the facts are weak, no where they are gone, no where all is well.",
)
