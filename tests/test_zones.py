"""Metrics, zones and their edges are what was planted; of the best of noise nothing is left."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import expit, logit
from scipy.stats import norm

import snahelpers as sna
from planted import TASKS, noise, noisy_summary, summary, sweep
from snahelpers.zones import HIGH, LOW, best_of_noise, calibrate_zones

pytestmark = pytest.mark.filterwarnings("error")


def one_task(values, split="select", p=0.01):
    """Rows of one task whose P becomes `values`, at layers 0, 0, 1, 1, 2, …"""
    frame = sweep(lambda *_, **__: 0.0, {"maths_0": ("maths", p)}, splits=[split]).head(len(values))
    post = np.array(values)
    return frame.assign(
        layer=np.arange(len(values)) // 2,
        n_neurons=np.arange(len(values)) % 2,
        multiplier=2.0,
        p_post=post,
        pct_improvement=100 * (post - p) / p,
        delta_logodds=np.log(post / (1 - post)) - np.log(p / (1 - p)),
    )


# zone


@pytest.mark.parametrize(
    ("p", "expected"), [(0, 1), (0.0699, 1), (0.07, 2), (0.1, 2), (0.1001, 3), (1, 3)]
)
def test_zone(p, expected):
    assert sna.zone(p) == expected


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan])
def test_zone_of_no_probability(p):
    with pytest.raises(sna.SNAError, match=r"probability p is .*: expected a number from 0 to 1"):
        sna.zone(p)


# summarize


def test_summary_counts_by_hand():
    table = sna.summarize(one_task([0.010, 0.0105, 0.012, 0.0112, 0.008, 0.0125]))
    [row] = table.itertuples()
    assert (row.model, row.method, row.task, row.domain) == ("toy", "found", "maths_0", "maths")
    assert (row.p_base, row.zone) == (0.01, 1)
    assert row.mean_pct == pytest.approx((0 + 5 + 20 + 12 - 20 + 25) / 6)
    assert row.best_pct == pytest.approx(25)
    assert row.success_rate == pytest.approx(4 / 6)
    assert (row.golden, row.golden_share) == (3, 0.5)
    assert row.best_logodds == pytest.approx(np.log(0.0125 / 0.9875 / (0.01 / 0.99)))
    # The best single configuration is at layer 2, the highest mean at layer 1.
    assert (row.best_layer, row.layer, row.n_neurons, row.multiplier) == (1, 2, 1, 2.0)


def test_summary_has_the_columns_that_were_agreed_on():
    expected = (
        "model method task domain difficulty p_base zone mean_pct best_pct mean_logodds "
        "best_logodds success_rate golden golden_share best_layer layer n_neurons multiplier "
        "test_p_base test_pct test_logodds"
    ).split()
    assert list(sna.summarize(sweep(noise())).columns) == expected


def test_choice_is_made_on_select_and_reported_on_test():
    select = one_task([0.010, 0.011, 0.030, 0.011])
    test = one_task([0.02, 0.90, 0.015, 0.02], split="test", p=0.02)  # 0.90: better, not chosen
    [row] = sna.summarize(pd.concat([test, select])).itertuples()
    assert (row.layer, row.n_neurons) == (1, 0)
    assert (row.p_base, row.test_p_base) == (0.01, 0.02)
    assert row.best_pct == pytest.approx(200)
    assert row.test_pct == pytest.approx(-25)
    assert row.test_logodds == pytest.approx(test.delta_logodds.iloc[2])


def test_equals_go_to_the_first_configuration():
    [row] = sna.summarize(one_task([0.01, 0.03, 0.03, 0.01])).itertuples()
    assert (row.layer, row.n_neurons, row.best_layer) == (0, 1, 0)


def test_without_test_rows_the_test_columns_are_empty():
    table = sna.summarize(sweep(noise(), splits=["select"]))
    assert table[["test_p_base", "test_pct", "test_logodds"]].isna().all(axis=None)
    assert table.best_pct.notna().all()


def test_one_row_a_method_and_task_in_the_frames_order():
    frame = pd.concat([sweep(noise(i), method=name) for i, name in enumerate(["z", "a"])])
    table = sna.summarize(frame)
    assert table.method.tolist() == ["z"] * 12 + ["a"] * 12
    assert table.task.tolist() == [*TASKS] * 2
    assert table.best_pct.nunique() == 24
    alone = sna.summarize(frame[frame.method == "a"])
    pd.testing.assert_frame_equal(alone, table.tail(12).reset_index(drop=True))


def test_labels_may_be_categories():
    frame = sweep(noise())
    words = dict.fromkeys("model task domain difficulty split method".split(), "category")
    expected, actual = sna.summarize(frame), sna.summarize(frame.astype(words))
    pd.testing.assert_frame_equal(actual.astype(expected.dtypes), expected)
    for function, table in (
        (sna.correlate, expected),
        (calibrate_zones, expected),
        (sna.decompose, frame),
        (sna.layer_peaks, sweep(noise(), examples=2)),
    ):
        labels = {name: kind for name, kind in words.items() if name in table}
        one, two = (function(part, n_resamples=10) for part in (table, table.astype(labels)))
        pd.testing.assert_frame_equal(two.astype(one.dtypes), one)


def test_zones_of_the_summary_follow_the_edges():
    frame = sweep(noise())
    table = sna.summarize(frame)
    assert table.zone.tolist() == [sna.zone(p) for _, p in TASKS.values()]
    assert set(sna.summarize(frame, low=0.0, high=1.0).zone) == {2}


def test_a_baseline_of_zero_has_no_percentage_but_counts():
    tasks = {"maths_0": ("maths", 0.0), "maths_1": ("maths", 0.1)}
    frame = sweep(lambda *_, **__: 0.1, tasks)
    rising = (frame.task == "maths_0") & (frame.layer == 2)
    frame.loc[rising, ["p_post", "pct_improvement"]] = 0.2, np.inf
    table = sna.summarize(frame).set_index("task")
    assert table.loc["maths_0", ["mean_pct", "best_pct", "test_pct"]].isna().all()
    assert table.success_rate.tolist() == [0.25, 1.0] and table.golden_share.iloc[0] == 0.25
    assert (table.best_layer.iloc[0], table.layer.iloc[0], table.test_p_base.iloc[0]) == (2, 2, 0)
    assert table.loc["maths_1"].notna().all()


# calibrate_zones

P12 = np.geomspace(0.001, 0.8, 12)


def test_planted_steps_are_found():
    table = calibrate_zones(summary(P12, [50] * 5 + [20] * 3 + [1] * 4)).set_index("edge")
    assert list(table.index) == ["low", "high"]
    assert table.value["low"] == pytest.approx(np.sqrt(P12[4] * P12[5]))
    assert table.value["high"] == pytest.approx(np.sqrt(P12[7] * P12[8]))
    assert (table.r2 == 1).all() and (table.p < 0.01).all()
    assert table.paper.tolist() == [LOW, HIGH]
    assert ((table.ci_low <= table.value) & (table.value <= table.ci_high)).all()
    assert [sna.zone(p, *table.value) for p in P12] == [1] * 5 + [2] * 3 + [3] * 4


def test_a_single_step_leaves_zone_2_empty():
    shuffled = np.random.default_rng(0).permutation(12)
    table = calibrate_zones(summary(P12[shuffled], np.where(shuffled < 5, 50.0, 1.0)))
    assert table.value.to_numpy() == pytest.approx([np.sqrt(P12[4] * P12[5])] * 2)
    assert (table.r2 == 1).all()


def test_noise_has_wide_intervals_and_a_large_p():
    rng = np.random.default_rng(2)
    p_values, r2 = [], []
    for _ in range(10):
        table = calibrate_zones(summary(P12, rng.normal(size=12)), n_resamples=200)
        assert (table.ci_high / table.ci_low > 10).all()
        p_values.append(table.p[0])
        r2.append(table.r2[0])
    assert np.mean(r2) > 0.3  # the reason why p is needed
    assert np.mean(p_values) > 0.25 and min(p_values) > 0.01


def test_edges_agree_with_trying_every_pair():
    rng = np.random.default_rng(5)
    p, y = np.sort(np.repeat(10 ** rng.uniform(-3, 0, 5), 2)), rng.normal(size=10)
    table = calibrate_zones(summary(p, y), n_resamples=2)
    ranks, found = stats.rankdata(y), {}
    middles = [np.sqrt(a * b) for a, b in itertools.pairwise(p) if a < b]
    for low, high in itertools.combinations_with_replacement(middles, 2):
        labels = np.array([sna.zone(x, low, high) for x in p])
        means = np.array([ranks[labels == label].mean() for label in labels])
        found[low, high] = 1 - ((ranks - means) ** 2).sum() / ((ranks - 5.5) ** 2).sum()
    best = max(found, key=found.get)
    assert tuple(table.value) == pytest.approx(best)
    assert table.r2[0] == pytest.approx(found[best])


def test_no_edge_separates_equal_baselines():
    table = calibrate_zones(summary([0.1] * 5 + [0.4] * 5, [9] * 2 + [1] * 8), n_resamples=9)
    assert table.value.to_numpy() == pytest.approx(0.2)


def test_calibration_follows_the_seed_and_takes_any_outcome():
    table = noisy_summary()
    one, two, other = (calibrate_zones(table, outcome="test_pct", seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert (one.value == other.value).all() and one.p[0] != other.p[0]


def test_a_baseline_of_zero_can_be_calibrated():
    table = calibrate_zones(summary([0, 0.01, 0.1, 0.5], [9, 2.0, 1, 0]), n_resamples=50)
    assert (table.value > 0).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (summary([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]), "3 tasks .*at least 4"),
        (
            summary([0.1] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]),
            "All 5 tasks .* of 0.1, and an edge lies between two",
        ),
        (summary([0.1] * 4, [1.0] * 4, method=["a", "a", "b", "b"]), "2 methods"),
    ],
)
def test_summaries_that_cannot_be_calibrated(table, message):
    with pytest.raises(sna.DataError, match=message):
        calibrate_zones(table)


# best_of_noise

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
    table = best_of_noise(pd.Series(P, index=[7, 8, 9]), 0.1, configurations=12, repeats=5)
    columns = "p_base zone best_pct low high best_logodds test_pct"
    assert list(table.columns) == columns.split() and list(table.index) == [0, 1, 2]
    assert table.p_base.tolist() == P and table.zone.tolist() == [1, 2, 3]
    assert (table.low < table.best_pct).all() and (table.best_pct < table.high).all()


@pytest.mark.parametrize("n", [1, 12, 168, 2016])
def test_common_noise_gives_the_largest_of_so_many_normals(n):
    repeats, sd = 1000, 0.3
    for row in best_of_noise(P, sd, configurations=n, repeats=repeats).itertuples():
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
    table = best_of_noise([p], sd, configurations=configurations, prompts=prompts, repeats=4000)
    assert table.best_pct[0] == pytest.approx(100 * (means.max(axis=1).mean() / p - 1), rel=0.03)
    assert table.best_logodds[0] == pytest.approx(logodds, rel=0.03)
    assert table.test_pct[0] == pytest.approx(100 * (means.mean() / p - 1), abs=3.5)


def test_the_numbers_of_the_course():
    def gain(**options):
        return best_of_noise([0.02], 0.1, **options).best_pct[0]

    assert gain() == pytest.approx(40, abs=2)
    assert gain(configurations=168) == pytest.approx(30.5, abs=2)
    assert gain(prompts=10, repeats=50) == pytest.approx(12, abs=1)


def test_more_noise_and_more_configurations_gain_more():
    by_sd = [best_of_noise(P, sd, repeats=20) for sd in (0, 0.05, 0.1, 0.3, 1, 10)]
    by_n = [best_of_noise(P, 0.1, configurations=n) for n in (1, 12, 168, 1008, 2016)]
    by_prompts = [best_of_noise(P, 0.1, prompts=n, repeats=20) for n in (24, 10, 4, 1)]
    for tables in (by_sd, by_n, by_prompts):
        grown = np.diff([table[MEANS].to_numpy() for table in tables], axis=0)
        assert (grown > 0).all()


@pytest.mark.parametrize("prompts", [1, 24])
def test_nothing_of_it_is_left_on_new_noise(prompts):
    table = best_of_noise(P, 0.1, prompts=prompts, configurations=168, repeats=1000)
    assert (table.test_pct.abs() < [2, 2, 1]).all()
    assert (table.best_pct > 4 * table.test_pct.abs()).all()


@pytest.mark.parametrize("prompts", [1, 24])
def test_no_noise_is_no_gain_at_all(prompts):
    table = best_of_noise(P, 0, prompts=prompts, repeats=3)
    assert (table.drop(columns=["p_base", "zone"]) == 0).all(axis=None)


def test_the_seed_decides_and_tasks_that_follow_change_nothing():
    table = best_of_noise(P, 0.1, repeats=5)
    pd.testing.assert_frame_equal(table, best_of_noise(tuple(P), np.float64(0.1), repeats=5))
    pd.testing.assert_frame_equal(table[:1], best_of_noise(P[:1], 0.1, repeats=5))
    assert not table.equals(best_of_noise(P, 0.1, repeats=5, seed=1))


@pytest.mark.parametrize("p", [[], [0.5, 0.0], [1.0], [np.nan], [[0.5]], 0.5, [-0.1]])
def test_what_is_no_list_of_baselines_is_refused(p):
    with pytest.raises(sna.DataError, match=r"numbers above 0 and below 1|Collection.float"):
        best_of_noise(p, 0.1)


@pytest.mark.parametrize(
    "name, value",
    [
        ("sd", -0.1),
        ("sd", np.nan),
        ("sd", np.inf),
        ("configurations", 0),
        ("prompts", 0),
        ("prompts", 1.5),
        ("repeats", 0),
        ("configurations", 10**6),
    ],
)
def test_what_is_out_of_range_is_refused(name, value):
    with pytest.raises(sna.SNAError, match=name):
        best_of_noise(**{"p": P, "sd": 0.1, name: value})
