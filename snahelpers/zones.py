"""The paper's three zones of baseline confidence (section 4)."""

import math

from snahelpers.errors import SNAError

LOW, HIGH = 0.07, 0.10  # of baseline P, for GPT-2 Medium


def zone(p: float, low: float = LOW, high: float = HIGH) -> int:
    """Zone of a baseline probability: 1 below `low`, 3 above `high`, 2 from one to the other.

    The paper's edges belong to GPT-2 Medium and its tasks (section 7.3). It leaves open where the
    edges themselves belong; here both are Zone 2.

    Raises:
        SNAError: p is not a probability.
    """
    if math.isnan(p) or not 0 <= p <= 1:
        raise SNAError(f"p = {p} is not a probability: expected a number from 0 to 1.")
    return 1 if p < low else 3 if p > high else 2
