"""The best of many configurations when nothing works: what choosing alone makes of noise."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from snahelpers.errors import DataError, SNAError, check_range
from snahelpers.zones import MIDDLE_95, zone

MAX_SD = 10.0  # nats: more would overflow


def best_of_noise(
    p: Sequence[float] | pd.Series, sd: float, *, configurations: int = 2016, prompts: int = 1,
    repeats: int = 200, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """What the best of many configurations gains where all of them do nothing but add noise.

    In each configuration every prompt's log-odds shift by normal noise, whatever its P. The one
    with the highest mean P is the best. It was lucky, and on new noise it shows.

    Args:
        p: Baseline P of each task; all of a task's prompts have this one.
        sd: Standard deviation of the noise, in nats.
        configurations: How many *independent* ones are tried on each task. The paper's 2,016 share
            neurons (168 sets, each with 12 multipliers), so that they are worth fewer: the truth
            lies between about 168 and 2,016.
        prompts: How many prompts a task has, each with noise of its own, which their mean dampens;
            1 is also noise that all prompts of a task have in common.
        repeats: How often all of it is done.
        seed: Of the noise.

    Returns:
        One row a task: p_base; zone; best_pct, the best configuration's gain (% of P), with low and
        high (the middle 95 % of repeats); best_logodds, its mean change of log-odds (nats);
        test_pct, its gain on new noise (%): about 0, where P is low up to 50 sd² above it, for
        odds rise by more than they fall. All but low and high are means over repeats.

    Raises:
        DataError: p is no list of probabilities above 0 and below 1.
        SNAError: sd, configurations, prompts or repeats is out of range.
    """
    baselines = _check_baselines(p)
    if not 0 <= sd <= MAX_SD:  # also for NaN
        raise SNAError(f"sd is {sd!r}: expected a number from 0 to {MAX_SD:g}, in nats.")
    check_range("configurations", configurations, 1, 100_000)
    check_range("prompts", prompts, 1, 100)
    check_range("repeats", repeats, 1, 1_000_000)
    rng, rows = np.random.default_rng(seed), []
    for baseline in baselines:
        winners = [_winner(baseline, sd, configurations, prompts, rng) for _ in range(repeats)]
        best, logodds, test = np.array(winners, dtype=float).T
        low, high = np.quantile(100 * best, MIDDLE_95)
        means = 100 * best.mean(), low, high, logodds.mean(), 100 * test.mean()
        rows.append((baseline, zone(baseline), *means))
    columns = "p_base zone best_pct low high best_logodds test_pct".split()
    return pd.DataFrame(rows, columns=columns)


def _winner(
    p: float, sd: float, configurations: int, prompts: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """The best configuration's gain (share of P), its change of log-odds, its gain on new noise."""
    shifts = _noise(sd, (prompts, configurations), rng)
    gains = _gain(p, shifts).mean(axis=0)
    best = gains.argmax()
    return gains[best], shifts[:, best].mean(), _gain(p, _noise(sd, prompts, rng)).mean()


def _noise(sd: float, shape: int | tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    # Single precision: twice as fast, and its rounding is far below the spread of repeats.
    return float(sd) * rng.standard_normal(shape, dtype=np.float32)


def _gain(p: float, shifts: np.ndarray) -> np.ndarray:
    """What P gains when its log-odds shift, as a share of P: exactly 0 for no shift."""
    odds = np.expm1(shifts)  # their gain
    return (1 - p) * odds / (1 + p * odds)


def _check_baselines(p: Sequence[float] | pd.Series) -> list[float]:
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or not len(p) or not ((p > 0) & (p < 1)).all():
        raise DataError(
            f"The baseline P are {p.tolist()}: expected a list of one or more numbers above 0 and "
            "below 1 (0 and 1 have no log-odds to shift)."
        )
    return p.tolist()
