"""One bootstrap for any statistic; max-T, Holm and power keep the levels that they promise."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import factory
import snahelpers as sna
from snahelpers.stats import (
    bootstrap,
    bootstrap_groups,
    flip_signs,
    holm,
    in_words,
    interval,
    max_t,
    power,
)

# bootstrap and interval


def mean(drawn):
    return drawn.mean(axis=1)


def test_the_interval_of_any_statistic_agrees_with_scipys():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=15), rng.exponential(size=(9, 2))

    def difference(a, b, axis=1):
        return np.median(a, axis=axis) - b.mean(axis=axis)

    draws = bootstrap(difference, x[:, None], y, n_resamples=20_000)
    assert draws.shape == (20_000, 2)
    for column in range(2):
        expected = stats.bootstrap(
            (x, y[:, column]), difference, n_resamples=20_000, method="percentile", random_state=1
        )
        ends = tuple(expected.confidence_interval)
        assert tuple(interval(draws)[:, column]) == pytest.approx(ends, abs=0.05)


def test_rows_stay_together_and_samples_are_drawn_by_themselves():
    pairs, other = np.column_stack([np.arange(8), -np.arange(8)]), np.arange(8)
    same = bootstrap(lambda drawn: (drawn[..., 0] == -drawn[..., 1]).all(axis=1), pairs)
    assert same.all()
    one, two = bootstrap(lambda a, b: (mean(a), mean(b)), other, other)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.05
    assert one.std() == pytest.approx(other.std() / np.sqrt(8), rel=0.05)


def test_the_seed_decides_and_calls_may_share_one_stream():
    x = np.arange(5.0)
    one, two, other = (bootstrap(mean, x, n_resamples=50, seed=seed) for seed in (0, 0, 1))
    assert (one == two).all() and (one != other).any()
    rng = np.random.default_rng(0)
    first, second = (bootstrap(mean, x, n_resamples=50, seed=rng) for _ in range(2))
    assert (first == one).all() and (second != one).any()


def test_an_interval_leaves_out_missing_draws():
    draws = np.array([[0.0, 1], [np.nan, 2], [10, 3]])
    assert interval(draws) == pytest.approx(np.array([[0.25, 1.05], [9.75, 2.95]]))
    assert set(interval(np.array([3, 4, 5, 5]), method="inverted_cdf")) == {3, 5}


def test_a_mean_with_its_interval():
    x = np.random.default_rng(1).normal(1, 2, 400)
    value, low, high = sna.bootstrap_mean(pd.Series(x))
    assert value == pytest.approx(x.mean()) and low < value < high
    assert high - low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.05)
    assert sna.bootstrap_mean(x, seed=1)[1] != low
    for bad in ([1.0], [1.0, np.nan], [1.0, np.inf]):
        with pytest.raises(sna.DataError, match="expected 2 or more finite numbers"):
            sna.bootstrap_mean(bad)


# max_t


def frame_of(deltas, task="tiny", method="differential", split="test"):
    """A per-example frame with these Δlog-odds [example, configuration]."""
    values = np.transpose(deltas)
    j, i = np.indices(values.shape).reshape(2, -1)
    labels = dict(model="m", task=task, method=method, split=split, n_neurons=3)
    numbers = dict(example=i, layer=j // 2, multiplier=1.5 + j % 2, delta_logodds=values.flatten())
    return pd.DataFrame(numbers).assign(**labels)


def noise(rng, n=10, configurations=40):
    """Configurations have half of their variance in common, as pushes of one model have."""
    return rng.standard_normal((n, 1)) + rng.standard_normal((n, configurations))


def test_max_t_is_the_share_of_all_flips():
    deltas = noise(np.random.default_rng(1), n=8, configurations=6) + np.arange(6) / 4
    flips = np.array(list(itertools.product([1, -1], repeat=8)))
    every = stats.ttest_1samp(flips[:, :, None] * deltas, 0, axis=1).statistic
    expected = (every.max(axis=1)[:, None] >= every[0] - 1e-9).mean(axis=0)
    table = max_t(frame_of(deltas), n_flips=20_000)
    np.testing.assert_allclose(table.t, every[0], rtol=1e-9)
    np.testing.assert_allclose(table.p, expected, atol=0.012)
    assert expected.min() < 0.1 and (table.p_task == table.p.min()).all()
    assert table.layer.tolist() == [0, 0, 1, 1, 2, 2] and (table.n == 8).all()
    assert table.multiplier.tolist() == [1.5, 2.5] * 3


def test_max_t_keeps_its_level_where_the_best_of_many_does_not():
    rng, found, naive = np.random.default_rng(0), [], []
    for _ in range(500):
        deltas = noise(rng)
        found.append(flip_signs(deltas, 199, rng)[1].min() <= 0.05)
        naive.append(stats.ttest_1samp(deltas, 0, alternative="greater").pvalue.min() <= 0.05)
    assert 0.02 < np.mean(found) < 0.08
    assert np.mean(naive) > 0.25


def test_nothing_done_and_all_alike():
    deltas = np.column_stack([np.zeros(6), np.full(6, 0.1), [1, -1, 1, -1, 1, -1]])
    table = max_t(frame_of(deltas), n_flips=6400)
    assert table.t.tolist()[::2] == [0, 0] and table.t[1] > 1e6
    assert table.p[1] == pytest.approx(3 / 64, abs=0.02)  # 2 of 64 flips, and what rounding is
    assert max_t(frame_of(deltas[:, :1])).p.tolist() == [1]


def test_tasks_and_methods_are_tested_by_themselves_on_the_split_asked_for():
    rng = np.random.default_rng(5)
    good, bad = noise(rng, n=12) + 2, noise(rng, n=12)
    parts = [("a", "matched", "test", bad), ("b", "differential", "test", good)]
    parts += [("a", "matched", "select", good), ("b", "differential", "select", bad)]
    frame = pd.concat([frame_of(d, task, method, split) for task, method, split, d in parts])
    for split, low in (("test", "b"), ("select", "a")):
        table = max_t(frame, split=split, n_flips=999)
        assert list(table.groupby(["method", "task"], sort=False).size()) == [40, 40]
        tasks = table.groupby("task").p_task.first()
        assert tasks[low] < 0.01 < 0.1 < tasks.drop(low).item()
    alone = max_t(frame[frame.task == "a"], n_flips=999)
    pd.testing.assert_frame_equal(
        alone, max_t(frame, n_flips=999).query("task == 'a'").reset_index(drop=True)
    )


def test_max_t_takes_a_sweep_as_it_comes():
    grid = sna.Grid(layers=[1], counts=(20, 3), multipliers=(2.4, 1.0, 0.0))
    frame = factory.sweep(factory.load("gpt2"), factory.task(), grid, per_example=True)
    table = max_t(frame, n_flips=99)
    assert len(table) == 6 and (table.n == 2).all()
    mine = frame.query("split == 'test' and n_neurons == 20 and multiplier == 2.4").delta_logodds
    assert table.t[0] == pytest.approx(stats.ttest_1samp(mine, 0).statistic)
    with pytest.raises(sna.DataError, match=r"no column example.*per_example=True"):
        max_t(sna.task_level(frame))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.drop(columns="delta_logodds"), {}, "no column delta_logodds"),
        (lambda f: f, {"split": "select"}, "no 'select' rows"),
        (lambda f: f, {"split": "tset"}, "split='tset' violates .*'select', 'test'"),
        (lambda f: f, {"n_flips": 0}, "n_flips 0 is out of range"),
        (lambda f: pd.concat([f, f]), {}, r"stands twice: .*tiny.*Keep one sweep"),
        (lambda f: f.drop(index=3), {}, "tiny has 6 examples, 1 of whose Δlog-odds are missing"),
        (lambda f: f.replace(f.delta_logodds[2], np.inf), {}, "1 of whose .* not finite"),
        (lambda f: f[f.example == 0], {}, "tiny has 1 examples"),
    ],
)
def test_tables_that_cannot_be_flipped(change, options, message):
    frame = frame_of(noise(np.random.default_rng(0), n=6, configurations=4))
    with pytest.raises(sna.SNAError, match=message):
        max_t(change(frame), **options)


# Holm and power


def test_holm_by_hand():
    # In order: 0.005 × 4, 0.01 × 3, 0.03 × 2, 0.04 × 1; the last no less than the one before.
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(pd.Series([0.5, 0.6], index=["a", "b"])), [1, 1])
    assert holm([0.2]).tolist() == [0.2]


@pytest.mark.parametrize("bad", [[], [0.1, 1.2], [-0.1], [0.1, float("nan")], 0.1])
def test_what_is_no_list_of_p_values(bad):
    with pytest.raises(
        sna.DataError, match=r"list of one or more numbers from 0 to 1|Collection.float"
    ):
        holm(bad)


def test_power_grows_from_the_level_with_rho_and_n():
    assert power(0, 12) == pytest.approx(0.05, abs=0.015)
    assert 0.75 < power(-0.762, 12) < 0.9  # the paper's ρ, its n
    values = [power(rho, n) for n in (12, 48) for rho in (0.2, 0.4, 0.6)]
    assert values[:3] == sorted(values[:3]) and values[3:] == sorted(values[3:])
    assert all(few + 0.05 < many for few, many in zip(values[:3], values[3:], strict=True))
    assert power(-0.4, 48) == pytest.approx(power(0.4, 48), abs=0.02)
    assert power(0.4, 48, alpha=0.01) < power(0.4, 48)


def test_power_is_of_the_spearman_correlation_named():
    # Over many tasks a test is significant in half of the cases where rho is at its edge.
    n = 400
    edge = math.sqrt(stats.f.isf(0.05, 1, n - 2) / (stats.f.isf(0.05, 1, n - 2) + n - 2))
    assert power(edge, n, n_simulations=3000) == pytest.approx(0.5, abs=0.04)
    assert power(1, 12, n_simulations=10) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rho": 1.2}, "rho is 1.2: expected a number from -1 to 1"),
        ({"rho": float("nan")}, "rho is nan"),
        ({"n": 3}, "n 3 is out of range"),
        ({"n": 12.0}, "n=12.0 violates type hint"),
        ({"alpha": 5}, "alpha is 5: expected a number from 0 to 1"),
        ({"n_simulations": 0}, "n_simulations 0 is out of range"),
    ],
)
def test_power_of_what_cannot_be(given, message):
    with pytest.raises(sna.SNAError, match=message):
        power(**{"rho": 0.5, "n": 12} | given)


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((0.5, 0.1, 0.9), "yes: +0.5 [+0.1, +0.9]"),
        ((-0.5, -0.9, -0.1), "no, less: -0.5 [-0.9, -0.1]"),
        ((0.5, -0.1, 1.1), "not shown: +0.5 [-0.1, +1.1]"),
        ((0.5, 0.0, 1.0), "not shown: +0.5 [+0, +1]"),
    ],
)
def test_an_interval_in_words(numbers, told):
    assert in_words(*numbers) == told


def test_groups_are_drawn_again_and_in_each_its_values():
    rng = np.random.default_rng(0)
    levels = rng.normal(0, 2, 40)
    groups = [rng.normal(level, 3, 25) for level in levels]
    draws = bootstrap_groups(groups, n_resamples=4000)
    means = np.array([group.mean() for group in groups])
    assert draws.shape == (4000,) and draws.mean() == pytest.approx(means.mean(), abs=0.05)
    within = np.mean([group.var() / 25 for group in groups])
    assert draws.var() == pytest.approx((means.var() + within) / 40, rel=0.1)
    alike = bootstrap_groups([np.ones(3), np.ones(5)], n_resamples=10)
    assert (alike == 1).all()
