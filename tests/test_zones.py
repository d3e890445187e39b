"""Summaries, correlations and decompositions find what was planted in synthetic sweeps."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import snahelpers as sna
from snahelpers import zones

pytestmark = pytest.mark.filterwarnings("error")

LAYERS, COUNTS, MULTIPLIERS = (0, 1, 2, 3), (3, 5), (1.1, 1.5, 2.4)
# Three domains of four tasks each, in which ranks of baseline P have the same mean.
RANKS = {"maths": (1, 12, 6, 7), "poetry": (2, 11, 5, 8), "coding": (3, 10, 4, 9)}
TASKS = {
    f"{domain}_{i}": (domain, 10 ** (rank / 4 - 3.1))
    for domain, ranks in RANKS.items()
    for i, rank in enumerate(ranks)
}


def sweep(
    effect, tasks=TASKS, *, splits=("select", "test"), examples=None, layers=LAYERS, method="found"
):
    """A sweep in which `effect(task, layer=…, …)` is what every log-odds is raised by."""
    rows = []
    grid = itertools.product(tasks, splits, range(examples or 1), layers, COUNTS, MULTIPLIERS)
    for task, split, example, layer, n_neurons, multiplier in grid:
        domain, p = tasks[task]
        labels = dict(split=split, layer=layer, n_neurons=n_neurons, multiplier=multiplier)
        delta = effect(task, example=example, domain=domain, p=p, **labels)
        post = p * np.exp(delta) / (1 - p + p * np.exp(delta))
        pct = 100 * (post - p) / p if p else np.inf * post if post else np.nan
        rows.append(
            dict(model="toy", task=task, domain=domain, difficulty=task.split("_")[1])
            | dict(method=method, example=example, p_base=p, p_post=post, pct_improvement=pct)
            | dict(delta_logodds=delta, rank_base=9, rank_post=7, entropy_base=2.0)
            | dict(entropy_post=1.5, **labels)
        )
    frame = pd.DataFrame(rows)
    return frame if examples else frame.drop(columns="example")


def noise(seed=0):
    rng = np.random.default_rng(seed)
    return lambda task, **_: rng.normal()


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


# task_level


def test_task_level_takes_means_and_the_percentage_of_the_mean():
    frame = sweep(lambda *_, **__: 0.0, {"maths_0": ("maths", 0.5)}, examples=2, layers=[0])
    frame = frame[(frame.n_neurons == 3) & (frame.multiplier == 1.1) & (frame.split == "test")]
    frame = frame.assign(
        p_base=[0.1, 0.3], p_post=[0.3, 0.3], pct_improvement=[200.0, 0.0],
        delta_logodds=[1.5, 0.1], rank_base=[1, 4], rank_post=[1, 2], entropy_base=[1.0, 2.0],
    )  # fmt: skip
    table = sna.task_level(frame)
    assert list(table.columns) == [column for column in SWEEP if column != "example"]
    [row] = table.itertuples()
    assert (row.p_base, row.p_post) == pytest.approx((0.2, 0.3))
    assert row.pct_improvement == pytest.approx(50)  # not the 100 of the mean percentage
    assert row.delta_logodds == pytest.approx(0.8)
    assert (row.rank_base, row.rank_post, row.entropy_base) == (2.5, 1.5, 1.5)
    assert (row.task, row.split, row.layer, row.n_neurons) == ("maths_0", "test", 0, 3)


SWEEP = (
    "model task domain difficulty split method example layer n_neurons multiplier "
    "p_base p_post pct_improvement delta_logodds rank_base rank_post entropy_base entropy_post"
).split()


def test_task_level_keeps_the_order_and_every_configuration():
    frame = sweep(noise(), examples=3)
    table = sna.task_level(frame)
    labels = [column for column in SWEEP[:10] if column != "example"]
    expected = frame[labels].drop_duplicates().reset_index(drop=True)
    pd.testing.assert_frame_equal(table[labels], expected)


# summarize


def test_summary_counts_by_hand():
    table = zones.summarize(one_task([0.010, 0.0105, 0.012, 0.0112, 0.008, 0.0125]))
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
    assert list(zones.summarize(sweep(noise())).columns) == expected


def test_choice_is_made_on_select_and_reported_on_test():
    select = one_task([0.010, 0.011, 0.030, 0.011])
    test = one_task([0.02, 0.90, 0.015, 0.02], split="test", p=0.02)  # 0.90: better, not chosen
    [row] = zones.summarize(pd.concat([test, select])).itertuples()
    assert (row.layer, row.n_neurons) == (1, 0)
    assert (row.p_base, row.test_p_base) == (0.01, 0.02)
    assert row.best_pct == pytest.approx(200)
    assert row.test_pct == pytest.approx(-25)
    assert row.test_logodds == pytest.approx(test.delta_logodds.iloc[2])


def test_equals_go_to_the_first_configuration():
    [row] = zones.summarize(one_task([0.01, 0.03, 0.03, 0.01])).itertuples()
    assert (row.layer, row.n_neurons, row.best_layer) == (0, 1, 0)


def test_without_test_rows_the_test_columns_are_empty():
    table = zones.summarize(sweep(noise(), splits=["select"]))
    assert table[["test_p_base", "test_pct", "test_logodds"]].isna().all(axis=None)
    assert table.best_pct.notna().all()


def test_one_row_a_method_and_task_in_the_frames_order():
    frame = pd.concat([sweep(noise(i), method=name) for i, name in enumerate(["z", "a"])])
    table = zones.summarize(frame)
    assert table.method.tolist() == ["z"] * 12 + ["a"] * 12
    assert table.task.tolist() == [*TASKS] * 2
    assert table.best_pct.nunique() == 24
    alone = zones.summarize(frame[frame.method == "a"])
    pd.testing.assert_frame_equal(alone, table.tail(12).reset_index(drop=True))


def test_labels_may_be_categories():
    frame = sweep(noise())
    words = dict.fromkeys("model task domain difficulty split method".split(), "category")
    expected, actual = zones.summarize(frame), zones.summarize(frame.astype(words))
    pd.testing.assert_frame_equal(actual.astype(expected.dtypes), expected)
    for function, table in (
        (zones.correlate, expected),
        (zones.calibrate_zones, expected),
        (zones.decompose, frame),
        (zones.layer_peaks, sweep(noise(), examples=2)),
    ):
        labels = {name: kind for name, kind in words.items() if name in table}
        one, two = (function(part, n_resamples=10) for part in (table, table.astype(labels)))
        pd.testing.assert_frame_equal(two.astype(one.dtypes), one)


def test_zones_of_the_summary_follow_the_edges():
    frame = sweep(noise())
    table = zones.summarize(frame)
    assert table.zone.tolist() == [sna.zone(p) for _, p in TASKS.values()]
    assert set(zones.summarize(frame, low=0.0, high=1.0).zone) == {2}


def test_a_baseline_of_zero_has_no_percentage_but_counts():
    tasks = {"maths_0": ("maths", 0.0), "maths_1": ("maths", 0.1)}
    frame = sweep(lambda *_, **__: 0.1, tasks)
    rising = (frame.task == "maths_0") & (frame.layer == 2)
    frame.loc[rising, ["p_post", "pct_improvement"]] = 0.2, np.inf
    table = zones.summarize(frame).set_index("task")
    assert table.loc["maths_0", ["mean_pct", "best_pct", "test_pct"]].isna().all()
    assert table.success_rate.tolist() == [0.25, 1.0] and table.golden_share.iloc[0] == 0.25
    assert (table.best_layer.iloc[0], table.layer.iloc[0], table.test_p_base.iloc[0]) == (2, 2, 0)
    assert table.loc["maths_1"].notna().all()


def test_sweeps_from_which_nothing_can_be_chosen():
    frame = sweep(noise())
    with pytest.raises(sna.DataError, match=r"No 'select' rows for .*maths_0.*sweep that split"):
        zones.summarize(frame[frame.split == "test"])
    lost = (frame.task == "coding_1") & (frame.split == "select")
    with pytest.raises(sna.DataError, match=r"\[\('toy', 'found', 'coding_1'\)\]"):
        zones.summarize(frame[~lost])
    with pytest.raises(sna.DataError, match="any task"):
        zones.summarize(frame.head(0))


@pytest.mark.parametrize("function", [zones.summarize, zones.decompose])
def test_single_examples_are_sent_to_task_level(function):
    frame = sweep(noise(), examples=2)
    with pytest.raises(sna.DataError, match=r"pass task_level\(table\), or sweep without"):
        function(frame)
    function(sna.task_level(frame))
    with pytest.raises(sna.DataError, match=r"stands twice: .*'task': 'maths_0'.*Keep one"):
        function(frame.drop(columns="example"))


# correlate


def summary(p, outcome, domains=4, **columns):
    """A summary of len(p) tasks with the given mean_pct."""
    domain = [f"domain {i % domains}" for i in range(len(p))]
    return pd.DataFrame({"domain": domain, "p_base": p, "mean_pct": outcome, **columns})


def noisy_summary(n=12, seed=0):
    rng = np.random.default_rng(seed)
    p = 10 ** rng.uniform(-3, 0, n)
    return summary(p, rng.normal(size=n) - 0.8 * np.log10(p), test_pct=rng.normal(size=n))


@pytest.mark.parametrize("n", [12, 48])
def test_correlations_and_p_are_scipys(n):
    table = noisy_summary(n)
    result = zones.correlate(table, outcomes=["mean_pct", "test_pct"], n_resamples=100)
    assert len(result) == 2 * 2 * 5
    functions = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}
    for row in result.itertuples():
        part = table[table.domain != row.left_out]
        expected = functions[row.statistic](part.p_base, part[row.outcome])
        assert (row.value, row.p) == pytest.approx(tuple(expected))
        assert row.n == len(part) == (n if row.left_out == "" else n * 3 // 4)
        assert np.isnan(row.low) == np.isnan(row.high) == (row.left_out != "")


def pearson(x, y, axis=-1):
    return stats.pearsonr(x, y, axis=axis).statistic


def spearman(x, y, axis=-1):
    return pearson(stats.rankdata(x, axis=axis), stats.rankdata(y, axis=axis), axis)


@pytest.mark.parametrize("statistic", [pearson, spearman])
def test_interval_agrees_with_scipys_bootstrap(statistic):
    table = noisy_summary()
    result = zones.correlate(table, outcomes=["mean_pct"]).set_index(["statistic", "left_out"])
    row = result.loc[(statistic.__name__, "")]
    options = dict(paired=True, vectorized=True, method="percentile", random_state=1)
    expected = stats.bootstrap((table.p_base, table.mean_pct), statistic, **options)
    assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval), abs=0.03)
    assert row.low < row.value < row.high


def test_the_papers_correlation_has_the_p_it_reports():
    """Section 4.1: ρ = -0.762 over 12 tasks, p = 0.004; p depends on ρ and n alone."""
    ranks = np.array([12, 8, 6, 9, 11, 7, 10, 5, 2, 1, 3, 4])
    table = zones.correlate(summary(np.arange(1, 13) / 100, ranks), outcomes=["mean_pct"])
    row = table[(table.statistic == "spearman") & (table.left_out == "")].iloc[0]
    assert (row.value, row.p) == pytest.approx((-0.762, 0.004), abs=5e-4)
    assert row.high < 0


def test_a_falling_relation_is_exactly_minus_one():
    p = np.geomspace(0.001, 0.9, 12)
    table = zones.correlate(summary(p, -np.log(p)), outcomes=["mean_pct"])
    ranks = table[table.statistic == "spearman"]
    assert ranks.value.to_numpy() == pytest.approx(-1)
    assert ranks[ranks.left_out == ""][["low", "high"]].to_numpy() == pytest.approx(-1)
    linear = table[(table.statistic == "pearson") & (table.left_out == "")].iloc[0]
    assert -1 < linear.value < -0.6


def test_few_tasks_and_tasks_without_an_outcome():
    table = summary([0.1, 0.2, 0.3, 0.4], [3.0, 1.0, 2.0, np.nan])
    result = zones.correlate(table, outcomes=["mean_pct"]).set_index(["statistic", "left_out"])
    assert (result.loc["spearman"].n == [3, 2, 2, 2]).all()
    assert result.loc[("spearman", ""), "value"] == pytest.approx(-0.5)
    # A ninth of the resamples is one task three times over, where nothing varies.
    assert result.loc[("spearman", ""), ["low", "high"]].tolist() == pytest.approx([-1, 1])
    assert result.loc[("spearman", "domain 0"), ["value", "p"]].isna().all()


def test_an_outcome_that_never_varies_has_no_correlation():
    result = zones.correlate(summary([0.1, 0.2, 0.3], [5.1] * 3), outcomes=["mean_pct"])
    assert result[["value", "p", "low", "high"]].isna().all(axis=None)


def test_correlations_follow_the_seed():
    table = noisy_summary()
    one, two, other = (zones.correlate(table, outcomes=["mean_pct"], seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert one.low[0] != other.low[0] and one.low[0] == pytest.approx(other.low[0], abs=0.05)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (summary([0.1, 0.2], [1.0, 2.0]), "2 tasks have a finite mean_pct: at least 3"),
        (summary([0.1, 0.2, 0.3], [1.0, 2.0, np.inf]), "2 tasks have a finite mean_pct"),
        (summary([0.1] * 4, [1.0] * 4, method=["a", "a", "b", "b"]), r"2 methods.* table\[tab"),
        (
            summary([0.1] * 4, [1.0] * 4, model=["a", "b", "c", "c"]),
            r"3 models.*table.model == 'a'",
        ),
        (summary([0.1] * 4, [1.0] * 4).drop(columns="domain"), "no column domain"),
    ],
)
def test_summaries_that_cannot_be_correlated(table, message):
    with pytest.raises(sna.DataError, match=message):
        zones.correlate(table, outcomes=["mean_pct"])


def test_an_outcome_must_be_a_column():
    with pytest.raises(sna.DataError, match="no column best_pct"):
        zones.correlate(noisy_summary())


# decompose


def shares(frame, column="share", **options):
    table = zones.decompose(frame, n_resamples=20, **options).set_index("factor")
    assert list(table.index) == ["baseline", "layer", "domain", "unexplained"]
    return table[column]


PEAKS = {"maths": 1, "poetry": 3, "coding": 2}
PURE = {
    "baseline": lambda task, p, **_: -np.log(p),
    "layer": lambda task, layer, domain, **_: float(layer == PEAKS[domain]),
    "domain": lambda task, domain, **_: float(len(domain)) + (domain == "coding") / 2,
}


@pytest.mark.parametrize("factor", PURE)
def test_a_single_factor_gets_everything(factor):
    share = shares(sweep(PURE[factor]), metric="delta_logodds")
    assert share[factor] == pytest.approx(1)
    assert share.drop(factor).to_numpy() == pytest.approx(0)


def test_percentages_are_explained_by_the_baseline_they_are_divided_by():
    """One shift of log-odds for all tasks: more percent, the lower the baseline."""
    share = shares(sweep(lambda task, **_: 0.3))
    assert share["baseline"] == pytest.approx(1)


def brute_force(frame, metric):
    """Shapley shares over all six orders, with dummies and ordinary least squares."""
    select = frame[frame.split == "select"]
    cells = select.groupby(["task", "layer"]).agg(
        y=(metric, "mean"), p=("p_base", "first"), domain=("domain", "first")
    )
    cells = cells.reset_index()
    y = cells.y.rank().to_numpy()
    tasks = cells.groupby("task").p.first().rank()
    domain = pd.get_dummies(cells.domain).to_numpy(float)
    layer = pd.get_dummies(cells.layer).to_numpy(float)[:, 1:]
    layer = layer - layer.mean(axis=0)  # sums to zero over the layers of each domain
    groups = {
        "baseline": cells.task.map(tasks).to_numpy(float)[:, None],
        "layer": np.hstack([layer * column[:, None] for column in domain.T]),
        "domain": domain[:, 1:],
    }

    def r2(names):
        x = np.hstack([np.ones((len(y), 1)), *(groups[name] for name in names)])
        rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        return 1 - (rest**2).sum() / ((y - y.mean()) ** 2).sum()

    orders = list(itertools.permutations(groups))
    share = dict.fromkeys(groups, 0.0)
    for order in orders:
        for i, name in enumerate(order):
            share[name] += (r2(order[: i + 1]) - r2(order[:i])) / len(orders)
    return {**share, "unexplained": 1 - sum(share.values())}


@pytest.mark.parametrize("tasks", [TASKS, dict(list(TASKS.items())[1:-2])])
@pytest.mark.parametrize("metric", ["pct_improvement", "delta_logodds"])
def test_shares_agree_with_least_squares_over_all_six_orders(metric, tasks):
    rng = np.random.default_rng(3)

    def mixed(task, p, domain, layer, **_):
        return len(domain) / 9 - np.log(p) / 5 + (layer == PEAKS[domain]) + rng.normal()

    frame = sweep(mixed, tasks)
    share = shares(frame, metric=metric)
    assert share.to_dict() == pytest.approx(brute_force(frame, metric))
    assert share.sum() == pytest.approx(1)


def test_noise_is_explained_as_well_as_chance_allows():
    layers = range(12)
    tables = [
        zones.decompose(sweep(noise(seed), layers=layers), metric="delta_logodds", seed=seed)
        for seed in range(5)
    ]
    mean = sum(table.set_index("factor")[["share", "chance"]] for table in tables) / 5
    # Eleven dummies in each of three domains, for 143 degrees of freedom: 0.23 by chance.
    assert mean.chance["layer"] == pytest.approx(33 / 143, abs=0.02)
    assert mean.share["layer"] == pytest.approx(mean.chance["layer"], abs=0.05)
    for table in tables:
        assert ((table.low <= table.share) & (table.share <= table.high)).all()
        layer = table.iloc[1]
        assert layer.low < layer.chance < layer.high


def test_chance_shuffles_whole_tasks():
    """Domains that differ by chance alone: cells of a task go together, 2 of 11 are domains'."""
    rng = np.random.default_rng(0)
    level = {task: rng.normal() for task in TASKS}
    table = zones.decompose(sweep(lambda task, **_: level[task]), metric="delta_logodds")
    chance = table.set_index("factor").chance
    assert chance["domain"] == pytest.approx(2 / 11, abs=0.03)
    assert chance["baseline"] == pytest.approx(1 / 11, abs=0.03)
    assert chance["layer"] == pytest.approx(0)


def test_chance_shuffles_layers_within_tasks():
    """The same layer for all tasks is localization too: by chance, 3 domains fit 12 tasks."""
    table = zones.decompose(sweep(lambda task, layer, **_: float(layer == 2)))
    assert table.share[1] > 0.8 and table.chance[1] == pytest.approx(3 / 12, abs=0.06)


def test_decomposition_names_the_papers_shares_and_follows_the_seed():
    frame = sweep(noise())
    one, two, other = (zones.decompose(frame, n_resamples=50, seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert list(one.columns) == ["factor", "share", "low", "high", "chance", "paper"]
    assert one.paper.tolist()[:3] == [0.58, 0.28, 0.14] and np.isnan(one.paper[3])
    assert (one.share == other.share).all() and (one.low != other.low).any()
    assert (one.low >= 0).all() and (one.high <= 1).all()


def test_only_select_rows_are_decomposed():
    frame = sweep(PURE["domain"])
    frame.loc[frame.split == "test", "delta_logodds"] = 0.0
    assert shares(frame, metric="delta_logodds")["domain"] == pytest.approx(1)


def test_sweeps_that_cannot_be_decomposed():
    frame = sweep(noise())
    both = pd.concat([frame, sweep(noise(1), method="random")])
    with pytest.raises(sna.DataError, match=r"2 methods.* table\[table.method == 'found'\]"):
        zones.decompose(both)
    with pytest.raises(sna.DataError, match=r"2 tasks .*at least 3"):
        zones.decompose(frame[frame.task.isin(["maths_0", "coding_0"])])
    with pytest.raises(sna.DataError, match="of 'maths_1' is missing or infinite at some layer"):
        zones.decompose(frame[(frame.task != "maths_1") | (frame.layer != 2)])
    with pytest.raises(sna.DataError, match="no column gain"):
        zones.decompose(frame, metric="gain")
    zero = sweep(noise(), {**TASKS, "maths_9": ("maths", 0.0)})
    with pytest.raises(sna.DataError, match="pct_improvement of 'maths_9' is missing or infinite"):
        zones.decompose(zero)
    zones.decompose(zero, metric="delta_logodds", n_resamples=2)
    with pytest.raises(sna.DataError, match=r"delta_logodds is 0\.5 at all tasks and layers"):
        zones.decompose(sweep(lambda *_, **__: 0.5), metric="delta_logodds")


def test_three_tasks_can_be_decomposed_although_a_resample_may_be_one_task_thrice():
    tasks = {name: TASKS[name] for name in ("maths_0", "poetry_0", "coding_1")}
    share = shares(sweep(PURE["baseline"], tasks), metric="delta_logodds")
    assert share["layer"] == 0 and share["baseline"] + share["domain"] == pytest.approx(1)


# calibrate_zones

P12 = np.geomspace(0.001, 0.8, 12)


def test_planted_steps_are_found():
    table = zones.calibrate_zones(summary(P12, [50] * 5 + [20] * 3 + [1] * 4)).set_index("edge")
    assert list(table.index) == ["low", "high"]
    assert table.value["low"] == pytest.approx(np.sqrt(P12[4] * P12[5]))
    assert table.value["high"] == pytest.approx(np.sqrt(P12[7] * P12[8]))
    assert (table.r2 == 1).all() and (table.p < 0.01).all()
    assert table.paper.tolist() == [sna.zones.LOW, sna.zones.HIGH]
    assert ((table.ci_low <= table.value) & (table.value <= table.ci_high)).all()
    assert [sna.zone(p, *table.value) for p in P12] == [1] * 5 + [2] * 3 + [3] * 4


def test_a_single_step_leaves_zone_2_empty():
    shuffled = np.random.default_rng(0).permutation(12)
    table = zones.calibrate_zones(summary(P12[shuffled], np.where(shuffled < 5, 50.0, 1.0)))
    assert table.value.to_numpy() == pytest.approx([np.sqrt(P12[4] * P12[5])] * 2)
    assert (table.r2 == 1).all()


def test_noise_has_wide_intervals_and_a_large_p():
    rng = np.random.default_rng(2)
    p_values, r2 = [], []
    for _ in range(10):
        table = zones.calibrate_zones(summary(P12, rng.normal(size=12)), n_resamples=200)
        assert (table.ci_high / table.ci_low > 10).all()
        p_values.append(table.p[0])
        r2.append(table.r2[0])
    assert np.mean(r2) > 0.3  # the reason why p is needed
    assert np.mean(p_values) > 0.25 and min(p_values) > 0.01


def test_edges_agree_with_trying_every_pair():
    rng = np.random.default_rng(5)
    p, y = np.sort(np.repeat(10 ** rng.uniform(-3, 0, 5), 2)), rng.normal(size=10)
    table = zones.calibrate_zones(summary(p, y), n_resamples=2)
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
    table = zones.calibrate_zones(summary([0.1] * 5 + [0.4] * 5, [9] * 2 + [1] * 8), n_resamples=9)
    assert table.value.to_numpy() == pytest.approx(0.2)


def test_calibration_follows_the_seed_and_takes_any_outcome():
    table = noisy_summary()
    one, two, other = (zones.calibrate_zones(table, outcome="test_pct", seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert (one.value == other.value).all() and one.p[0] != other.p[0]


def test_a_baseline_of_zero_can_be_calibrated():
    table = zones.calibrate_zones(summary([0, 0.01, 0.1, 0.5], [9, 2.0, 1, 0]), n_resamples=50)
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
        zones.calibrate_zones(table)


# layer_peaks


def planted(task, layer, domain, **_):
    return 1.0 * (layer == PEAKS[domain])


def test_planted_peaks_are_found_with_certainty():
    table = zones.layer_peaks(sweep(planted, examples=3), n_resamples=50)
    assert list(table.columns) == ["domain", "layer", "depth", "effect", "share", "low", "high"]
    assert table.domain.tolist() == ["maths", "poetry", "coding"]
    assert table.layer.tolist() == table.low.tolist() == table.high.tolist() == [1, 3, 2]
    assert table.depth.tolist() == pytest.approx([1 / 3, 1, 2 / 3])
    assert table.effect.tolist() == table.share.tolist() == [1, 1, 1]


def test_noise_has_no_certain_peak():
    rng = np.random.default_rng(0)
    table = zones.layer_peaks(sweep(lambda task, **_: rng.normal(), examples=6))
    assert (table.share < 0.9).all() and (table.low < table.high).any()
    assert ((table.low <= table.layer) & (table.layer <= table.high)).all()
    assert set(table.low) | set(table.high) <= set(LAYERS)


def test_uncertainty_is_over_the_prompts():
    """Half of the prompts peak at layer 0, half a little less at layer 3: which, is luck."""

    def split(task, layer, example, **_):
        return (1.0 if example % 2 == 0 else 0.0) * (layer == 0) + 0.9 * (example % 2) * (
            layer == 3
        )

    frame = sweep(split, {"maths_0": ("maths", 0.1)}, examples=20, splits=["test"])
    row = zones.layer_peaks(frame).iloc[0]
    k = stats.binom(20, 0.5)  # how many of the drawn prompts are of the first kind
    assert (row.layer, row.low, row.high) == (0, 0, 3)
    assert row.share == pytest.approx(k.sf(9), abs=0.05)
    assert row.effect == pytest.approx(0.5)


def test_tasks_count_the_same_however_many_examples_they_have():
    tasks = {"maths_0": ("maths", 0.1), "maths_1": ("maths", 0.1)}
    frame = sweep(lambda task, layer, **_: float(layer == (0 if task == "maths_0" else 3)), tasks,
                  examples=6)  # fmt: skip
    frame = frame[(frame.task == "maths_0") | (frame.example < 2)]
    frame.loc[frame.task == "maths_1", "delta_logodds"] *= 1.1
    row = zones.layer_peaks(frame, n_resamples=20).iloc[0]
    assert row.layer == 3 and row.effect == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("by", "columns", "n"),
    [("task", ["task"], 12), ("difficulty", ["difficulty"], 4),
     (["domain", "difficulty"], ["domain", "difficulty"], 12)],
)  # fmt: skip
def test_peaks_by_other_groups(by, columns, n):
    frame = sweep(planted, examples=2)
    table = zones.layer_peaks(frame, by=by, n_resamples=20)
    assert len(table) == n and list(table.columns)[: len(columns)] == columns
    pd.testing.assert_frame_equal(
        table[columns], frame[columns].drop_duplicates().reset_index(drop=True)
    )


def test_select_and_test_examples_of_the_same_number_are_different_examples():
    def better_on_test(task, layer, split, **_):
        return float(layer == 2) * (3 if split == "test" else 1)

    frame = sweep(better_on_test, {"maths_0": ("maths", 0.1)}, examples=1)
    assert zones.layer_peaks(frame, n_resamples=20).effect[0] == pytest.approx(2)


def test_peaks_follow_the_seed_and_a_model_of_one_layer_has_depth_zero():
    frame = sweep(noise(), examples=4)
    one, two, other = (zones.layer_peaks(frame, n_resamples=100, seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert (one.effect == other.effect).all() and (one.share != other.share).any()
    assert zones.layer_peaks(sweep(noise(), examples=2, layers=[0])).depth.tolist() == [0, 0, 0]


def test_sweeps_without_peaks():
    frame = sweep(noise(), examples=2)
    with pytest.raises(sna.DataError, match="no column example"):
        zones.layer_peaks(sna.task_level(frame))
    with pytest.raises(sna.DataError, match="no column kind"):
        zones.layer_peaks(frame, by="kind")
    with pytest.raises(sna.DataError, match="2 methods"):
        zones.layer_peaks(pd.concat([frame, frame.assign(method="random")]))
    with pytest.raises(sna.DataError, match=r"'maths'.* single example"):
        alone = frame[(frame.example == 0) & (frame.split == "test")]
        zones.layer_peaks(alone)
    with pytest.raises(sna.DataError, match=r"poetry_2.* is missing or infinite"):
        zones.layer_peaks(frame[(frame.task != "poetry_2") | (frame.layer != 1)])
