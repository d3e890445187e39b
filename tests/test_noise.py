"""The best of noise is what order statistics say it is, and nothing is left of it on new noise."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate
from scipy.special import expit, logit
from scipy.stats import norm

import snahelpers as sna

P = [0.01, 0.08, 0.5]
MEANS = ["best_pct", "best_logodds"]


def largest(n, share):
    """The quantile of the largest of n standard normals."""
    return norm.ppf(share ** (1 / n))


def expected(n, of=lambda x: x):
    """The mean of a function of the largest of n standard normals."""
    return integrate.quad(lambda share: of(largest(n, share)), 0, 1, limit=200)[0]


def percent(p, shift):
    return 100 * (expit(logit(p) + shift) / p - 1)


def test_one_row_a_task_in_order():
    table = sna.best_of_noise(pd.Series(P, index=[7, 8, 9]), 0.1, configurations=12, repeats=5)
    columns = "p_base zone best_pct low high best_logodds test_pct"
    assert list(table.columns) == columns.split() and list(table.index) == [0, 1, 2]
    assert table.p_base.tolist() == P and table.zone.tolist() == [1, 2, 3]
    assert (table.low < table.best_pct).all() and (table.best_pct < table.high).all()


@pytest.mark.parametrize("n", [1, 12, 168, 2016])
def test_common_noise_gives_the_largest_of_so_many_normals(n):
    repeats, sd = 1000, 0.3
    for row in sna.best_of_noise(P, sd, configurations=n, repeats=repeats).itertuples():
        gains = {
            "best_pct": lambda x, p=row.p_base: percent(p, sd * x),
            "best_logodds": lambda x: sd * x,
        }
        for name, gain in gains.items():
            mean = expected(n, gain)
            error = np.sqrt((expected(n, lambda x, gain=gain: gain(x) ** 2) - mean**2) / repeats)
            assert abs(getattr(row, name) - mean) < 4 * error
        for measured, share in ((row.low, 0.025), (row.high, 0.975)):
            below, above = (percent(row.p_base, sd * largest(n, share + x)) for x in (-0.02, 0.02))
            assert below < measured < above


def test_prompts_of_their_own_noise_agree_with_a_plain_simulation():
    p, sd, configurations, prompts = 0.2, 0.8, 20, 3
    shifts = sd * np.random.default_rng(99).standard_normal((4000, configurations, prompts))
    means = expit(logit(p) + shifts).mean(axis=2)
    best = means.argmax(axis=1)
    logodds = shifts.mean(axis=2)[range(4000), best].mean()
    table = sna.best_of_noise([p], sd, configurations=configurations, prompts=prompts, repeats=4000)
    assert table.best_pct[0] == pytest.approx(100 * (means.max(axis=1).mean() / p - 1), rel=0.03)
    assert table.best_logodds[0] == pytest.approx(logodds, rel=0.03)
    assert table.test_pct[0] == pytest.approx(100 * (means.mean() / p - 1), abs=3.5)


def test_the_numbers_of_the_course():
    def gain(**options):
        return sna.best_of_noise([0.02], 0.1, **options).best_pct[0]

    assert gain() == pytest.approx(40, abs=2)
    assert gain(configurations=168) == pytest.approx(30.5, abs=2)
    assert gain(prompts=10, repeats=50) == pytest.approx(12, abs=1)


def test_more_noise_and_more_configurations_gain_more():
    by_sd = [sna.best_of_noise(P, sd, repeats=20) for sd in (0, 0.05, 0.1, 0.3, 1, 10)]
    by_n = [sna.best_of_noise(P, 0.1, configurations=n) for n in (1, 12, 168, 1008, 2016)]
    by_prompts = [sna.best_of_noise(P, 0.1, prompts=n, repeats=20) for n in (24, 10, 4, 1)]
    for tables in (by_sd, by_n, by_prompts):
        grown = np.diff([table[MEANS].to_numpy() for table in tables], axis=0)
        assert (grown > 0).all()


@pytest.mark.parametrize("prompts", [1, 24])
def test_nothing_of_it_is_left_on_new_noise(prompts):
    table = sna.best_of_noise(P, 0.1, prompts=prompts, configurations=168, repeats=1000)
    assert (table.test_pct.abs() < [2, 2, 1]).all()
    assert (table.best_pct > 4 * table.test_pct.abs()).all()


@pytest.mark.parametrize("prompts", [1, 24])
def test_no_noise_is_no_gain_at_all(prompts):
    table = sna.best_of_noise(P, 0, prompts=prompts, repeats=3)
    assert (table.drop(columns=["p_base", "zone"]) == 0).all(axis=None)


def test_the_seed_decides_and_tasks_that_follow_change_nothing():
    table = sna.best_of_noise(P, 0.1, repeats=5)
    pd.testing.assert_frame_equal(table, sna.best_of_noise(tuple(P), np.float64(0.1), repeats=5))
    pd.testing.assert_frame_equal(table[:1], sna.best_of_noise(P[:1], 0.1, repeats=5))
    assert not table.equals(sna.best_of_noise(P, 0.1, repeats=5, seed=1))


@pytest.mark.parametrize("p", [[], [0.5, 0.0], [1.0], [np.nan], [[0.5]], 0.5, [-0.1]])
def test_what_is_no_list_of_baselines_is_refused(p):
    with pytest.raises(sna.DataError, match="numbers above 0 and below 1"):
        sna.best_of_noise(p, 0.1)


@pytest.mark.parametrize(
    "name, value",
    [("sd", -0.1), ("sd", np.nan), ("sd", np.inf), ("configurations", 0), ("prompts", 0),
     ("prompts", 1.5), ("repeats", 0), ("configurations", 10**6)],
)  # fmt: skip
def test_what_is_out_of_range_is_refused(name, value):
    with pytest.raises(sna.SNAError, match=name):
        sna.best_of_noise(**{"p": P, "sd": 0.1, name: value})
