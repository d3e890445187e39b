"""The exercises of notebook 06."""

import math
from functools import cache, partial

from snahelpers.amplification import Amplification, amplify
from snahelpers.check.exercise import Exercise
from snahelpers.models import load_model
from snahelpers.sentiment import MARGIN_HIGH, MARGIN_LOW, label_bias
from snahelpers.zones import zone as zone_of


def _zone(margin):
    return 1 if margin < MARGIN_LOW else 3 if margin > MARGIN_HIGH else 2


_minnow = cache(partial(load_model, "minnow"))


def _lean(model, push):
    before = label_bias(model)
    with amplify(model, push):
        return label_bias(model) - before


margin_zone = Exercise(
    right=lambda p, n: _zone(abs(p - n) / (p + n)),
    # 13/64 and 7/64 have a margin of exactly 0.30 in floating point too.
    cases=[
        (0.6, 0.4),
        (0.4, 0.6),
        (0.02, 0.005),
        (0.0001, 0.0002),
        (13 / 64, 7 / 64),
        (0.1, 0.9),
        (0.01, 0.012),
        (0.003, 0.007),
    ],
    mistakes=[
        (
            lambda p, n: _zone(abs(p - n)),
            "That is P(positive) − P(negative) as it is: where both are small, all is Zone 1. "
            "Divide by their sum.",
        ),
        (
            lambda p, n: _zone((p - n) / (p + n)),
            "Confident and negative is confident too: take the absolute value.",
        ),
        (
            lambda p, n: zone_of(abs(p - n) / (p + n)),
            "Those are the edges for probabilities, 0.07 and 0.10. For margins: 0.30 and 0.60.",
        ),
        (
            lambda p, n: _zone(max(p, n) / (p + n)),
            "That is the larger label's share of the two, which cannot be below 0.5. The margin "
            "is the difference of the two, divided by their sum.",
        ),
        (
            lambda p, n: 1 if abs(p - n) / (p + n) <= MARGIN_LOW else _zone(abs(p - n) / (p + n)),
            "Zone 1 is a margin *below* 0.30: the edge itself belongs to Zone 2.",
        ),
    ],
    praise="Right: only the ratio of the two counts, however rare both words are.",
)

flip_point = Exercise(
    right=lambda margin: 2 * math.atanh(margin),
    cases=[(0.1,), (0.3,), (0.6,), (0.95,)],
    mistakes=[
        (
            lambda margin: math.atanh(margin),
            "Half of it: tanh gives the margin from *half* the difference in log-odds.",
        ),
        (
            lambda margin: math.log(margin / (1 - margin)),
            "That is the logit of the margin. The margin is no probability: the label's share of "
            "the two is (1 + margin) / 2.",
        ),
        (
            lambda margin: (1 + margin) / (1 - margin),
            "That is the ratio of the two probabilities; its logarithm is the shift.",
        ),
        (
            lambda margin: margin,
            "The shift is in log-odds, and the margin is not: ln((1 + margin) / (1 − margin)).",
        ),
    ],
    praise="Right: 0.62 at margin 0.30, and ln 4 = 1.386 at 0.60. Between the two lies Zone 2.",
)

lean = Exercise(
    right=_lean,
    cases=[(0, 4.0), (8, 12.0)],
    call=lambda answer, case: answer(_minnow(), Amplification(case[0], range(20), case[1])),
    mistakes=[
        (
            lambda model, push: -_lean(model, push),
            "Turned round: take the lean without the push from the lean with it.",
        ),
        (
            lambda model, push: 0.0,
            "Nothing changed, so both were measured on the same model. The push acts only inside "
            "the `with` block.",
        ),
        (
            lambda model, push: _lean(model, push) + label_bias(model),
            "That is how much the model leans under the push. How much of it was there before?",
        ),
        (
            lambda model, push: abs(_lean(model, push)),
            "The size is right. Which way it leans is lost: below 0 is more to *negative*.",
        ),
    ],
    praise="Right. Nothing was read, so all of it is a label bias.",
)
