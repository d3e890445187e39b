"""The shipped sweeps are what the code gives: a random sample of their rows is computed anew."""

import numpy as np
import pandas as pd
import pytest

import make_results
import snahelpers as sna

KEYS = ["model", "task", "split", "layer", "n_neurons", "multiplier"]
NUMBERS = ["p_base", "p_post", "delta_logodds", "rank_post", "entropy_post"]
# Another processor rounds otherwise; p agrees to 1 in 1,000, a difference to that of its terms.
TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}


def shipped(name: str) -> pd.DataFrame:
    return pd.read_parquet(sna.data_path("results", f"{name}.parquet"))


def assert_recomputed(frame: pd.DataFrame, keys: list[str], rng, **options) -> None:
    """Sweep one task, layer and a few configurations, as a random row of `frame` has them."""
    row = frame.iloc[int(rng.integers(len(frame)))]
    grid = sna.Grid(
        layers=[int(row.layer)],
        counts=[int(row.n_neurons)],
        multipliers=rng.choice(frame.multiplier.unique(), 2, replace=False),
    )
    model = sna.load_model(row.model)
    again = sna.sweep(model, sna.load_tasks()[row.task], grid, progress=False, **options)
    both = again.merge(frame, on=keys, suffixes=("", "_shipped"))
    assert len(both) == len(again) > 0
    for name in NUMBERS:
        np.testing.assert_allclose(both[name], both[f"{name}_shipped"], **TOLERANCE)


@pytest.mark.parametrize("seed", range(4))
def test_sampled_rows_of_the_full_sweep(seed):
    assert_recomputed(shipped("minnow"), KEYS, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(2))
def test_sampled_rows_of_the_matched_draws(seed):
    rng = np.random.default_rng(seed)
    draw = int(rng.integers(make_results.DRAWS))
    frame = shipped("minnow-matched").query("draw == @draw")
    # Neurons are drawn for the largest count: the others are its first ones.
    largest = frame[frame.n_neurons == max(make_results.SMALL.counts)]
    assert_recomputed(largest, KEYS, rng, method="matched", seed=draw)


@pytest.mark.parametrize("seed", range(2))
def test_sampled_rows_of_the_other_trainings(seed):
    frame = shipped("minnow-seeds")
    assert_recomputed(frame, [*KEYS, "example"], np.random.default_rng(seed), per_example=True)


def test_every_sweep_is_whole():
    n_layers, n_tasks = 12, len(sna.load_tasks())
    full, small = len(sna.Grid().configurations()), len(make_results.SMALL.configurations())
    assert len(shipped("minnow")) == n_tasks * n_layers * full * 2
    assert len(shipped("minnow-matched")) == n_tasks * n_layers * small * 2 * make_results.DRAWS
    examples = sum(len(task) for task in sna.load_tasks().values())
    assert len(shipped("minnow-seeds")) == examples * n_layers * small * 2
