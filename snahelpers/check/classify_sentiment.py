"""The exercises of notebook 06."""

import math

from snahelpers.check.exercise import Exercise
from snahelpers.sentiment import MARGIN_HIGH, MARGIN_LOW
from snahelpers.zones import zone as zone_of


def _zone(margin):
    return 1 if margin < MARGIN_LOW else 3 if margin > MARGIN_HIGH else 2


def _possible(percent, n):
    return any(round(100 * k / n, 1) == percent for k in range(n + 1))


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

possible_percentage = Exercise(
    right=_possible,
    cases=[
        (34.8, 66),
        (57.3, 66),
        (57.3, 89),
        (59.1, 66),
        (75.3, 89),
        (84.4, 45),
        (84.0, 45),
        (50.0, 3),
    ],
    mistakes=[
        (
            lambda percent, n: any(100 * k / n == percent for k in range(n + 1)),
            "Percentages in a paper are rounded: compare after rounding to one decimal.",
        ),
        (
            lambda percent, n: any(abs(100 * k / n - percent) < 0.5 for k in range(n + 1)),
            "Round to one decimal, not to whole per cents: 57.3 and 57.6 are different.",
        ),
        (
            lambda percent, n: round(100 * int(percent * n / 100) / n, 1) == percent,
            "int() cuts off: 0.348 × 66 = 22.97 would become 22. Try every count from 0 to n.",
        ),
        (
            lambda percent, n: not _possible(percent, n),
            "Turned round: True where some count out of n does give the percentage.",
        ),
    ],
    praise="Right. Of 66 no count gives 57.3; of 89, 51 does, and 89 is the paper's Zone 2.",
)

right_after = Exercise(
    right=lambda before, gain, n: round(n * before / 100) + round(n * gain / 100),
    cases=[(34.8, 59.1, 66), (75.3, 0.0, 89), (84.4, 0.0, 45), (50.0, -10.0, 20)],
    mistakes=[
        (
            lambda before, gain, n: round(round(n * before / 100) * (1 + gain / 100)),
            "Percentage points are added to the percentage, not taken of it.",
        ),
        (
            lambda before, gain, n: round(n * gain / 100),
            "That is how many *more* are right; add those that were right before.",
        ),
        (
            lambda before, gain, n: before + gain,
            "That is the accuracy in per cent; how many of the n reviews is it?",
        ),
        (
            lambda before, gain, n: n * (before + gain) / 100,
            "A whole number of reviews, please: round the two counts.",
        ),
    ],
    praise="Right: +59.1 needs 62 of 66. That is 93.9 %, above Zone 3's 84.4 %.",
)
