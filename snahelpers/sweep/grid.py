"""Which configurations a sweep runs: the paper's grid, or another (section 3.3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from snahelpers.errors import SNAError, check_range


@dataclass(frozen=True)
class Grid:
    """Which configurations a sweep runs: all of layers × counts × multipliers.

    Attributes:
        layers: Which layers, or None for every layer of the model.
        counts: How many of the chosen neurons.
        multipliers: What their activations are multiplied by. By default the paper's twelve.

    Raises:
        SNAError: a part is empty or names a value twice, a count is not at least 1, or a
            multiplier is negative or not finite.
    """

    layers: Sequence[int] | None = None
    counts: Sequence[int] = (3, 5, 8, 10, 15, 20, 25)
    multipliers: Sequence[float] = tuple(np.linspace(1.1, 2.4, 12).tolist())

    def __post_init__(self) -> None:
        """Check what needs no model, and keep plain tuples."""
        for name in ("layers", "counts", "multipliers"):
            values = getattr(self, name)
            if values is None and name == "layers":
                continue
            values = tuple(np.atleast_1d(values).tolist())
            if not values or len(set(values)) < len(values):
                raise SNAError(f"The grid's {name} are {values}: expected one or more, each once.")
            object.__setattr__(self, name, values)
        for count in self.counts:
            check_range("The grid's count", count, 1, 10**9)
        for multiplier in self.multipliers:
            if not math.isfinite(multiplier) or multiplier < 0:
                raise SNAError(
                    f"The grid's multiplier {multiplier!r} is not a finite number of at least 0."
                )

    @classmethod
    def extended(cls) -> "Grid":
        """The paper's grid and the larger multipliers that it mentions elsewhere (up to 12)."""
        return cls(multipliers=(*cls.multipliers, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0))

    def configurations(self) -> list[tuple[int, float]]:
        """Every (count, multiplier) of one layer, in the order of the frame."""
        return list(product(self.counts, self.multipliers))


PAPER_GRID = Grid()
