"""Where an improvement comes from, and at which layer: what was planted is found, and no more."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import snahelpers as sna
from planted import LAYERS, TASKS, noise, sweep
from snahelpers.zones import layer_at

pytestmark = pytest.mark.filterwarnings("error")


def test_a_layer_is_as_deep_as_in_the_papers_model():
    assert layer_at(8, 24) == 8 and layer_at(21, 12) == 10


# decompose


def shares(frame, column="share", **options):
    table = sna.decompose(frame, n_resamples=20, **options).set_index("factor")
    assert list(table.index) == ["baseline", "layer", "domain", "unexplained"]
    return table[column]


PEAKS = {"maths": 1, "poetry": 3, "coding": 2}


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
        sna.decompose(sweep(noise(seed), layers=layers), metric="delta_logodds", seed=seed)
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
    table = sna.decompose(sweep(lambda task, **_: level[task]), metric="delta_logodds")
    chance = table.set_index("factor").chance
    assert chance["domain"] == pytest.approx(2 / 11, abs=0.03)
    assert chance["baseline"] == pytest.approx(1 / 11, abs=0.03)
    assert chance["layer"] == pytest.approx(0)


def test_chance_shuffles_layers_within_tasks():
    """The same layer for all tasks is localization too: by chance, 3 domains fit 12 tasks."""
    table = sna.decompose(sweep(lambda task, layer, **_: float(layer == 2)))
    assert table.share[1] > 0.8 and table.chance[1] == pytest.approx(3 / 12, abs=0.06)


def test_decomposition_names_the_papers_shares_and_follows_the_seed():
    frame = sweep(noise())
    one, two, other = (sna.decompose(frame, n_resamples=50, seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert list(one.columns) == ["factor", "share", "low", "high", "chance", "paper"]
    assert one.paper.tolist()[:3] == [0.58, 0.28, 0.14] and np.isnan(one.paper[3])
    assert (one.share == other.share).all() and (one.low != other.low).any()
    assert (one.low >= 0).all() and (one.high <= 1).all()


def test_sweeps_that_cannot_be_decomposed():
    frame = sweep(noise())
    both = pd.concat([frame, sweep(noise(1), method="random")])
    with pytest.raises(sna.DataError, match=r"2 methods.* table\[table.method == 'found'\]"):
        sna.decompose(both)
    with pytest.raises(sna.DataError, match=r"2 tasks .*at least 3"):
        sna.decompose(frame[frame.task.isin(["maths_0", "coding_0"])])
    with pytest.raises(sna.DataError, match="of 'maths_1' is missing or infinite at some layer"):
        sna.decompose(frame[(frame.task != "maths_1") | (frame.layer != 2)])
    with pytest.raises(sna.DataError, match="no column gain"):
        sna.decompose(frame, metric="gain")
    zero = sweep(noise(), {**TASKS, "maths_9": ("maths", 0.0)})
    with pytest.raises(sna.DataError, match="pct_improvement of 'maths_9' is missing or infinite"):
        sna.decompose(zero)
    sna.decompose(zero, metric="delta_logodds", n_resamples=2)
    with pytest.raises(sna.DataError, match=r"delta_logodds is 0\.5 at all tasks and layers"):
        sna.decompose(sweep(lambda *_, **__: 0.5), metric="delta_logodds")


def test_three_tasks_can_be_decomposed_although_a_resample_may_be_one_task_thrice():
    tasks = {name: TASKS[name] for name in ("maths_0", "poetry_0", "coding_1")}
    share = shares(sweep(lambda task, p, **_: -np.log(p), tasks), metric="delta_logodds")
    assert share["layer"] == 0 and share["baseline"] + share["domain"] == pytest.approx(1)


# layer_peaks


def planted(task, layer, domain, **_):
    return 1.0 * (layer == PEAKS[domain])


def test_planted_peaks_are_found_with_certainty():
    table = sna.layer_peaks(sweep(planted, examples=3), n_resamples=50)
    assert list(table.columns) == ["domain", "layer", "depth", "effect", "share", "low", "high"]
    assert table.domain.tolist() == ["maths", "poetry", "coding"]
    assert table.layer.tolist() == table.low.tolist() == table.high.tolist() == [1, 3, 2]
    assert table.depth.tolist() == pytest.approx([1 / 3, 1, 2 / 3])
    assert table.effect.tolist() == table.share.tolist() == [1, 1, 1]


def test_noise_has_no_certain_peak():
    rng = np.random.default_rng(0)
    table = sna.layer_peaks(sweep(lambda task, **_: rng.normal(), examples=6))
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
    row = sna.layer_peaks(frame).iloc[0]
    k = stats.binom(20, 0.5)  # how many of the drawn prompts are of the first kind
    assert (row.layer, row.low, row.high) == (0, 0, 3)
    assert row.share == pytest.approx(k.sf(9), abs=0.05)
    assert row.effect == pytest.approx(0.5)


def test_tasks_count_the_same_however_many_examples_they_have():
    tasks = {"maths_0": ("maths", 0.1), "maths_1": ("maths", 0.1)}
    frame = sweep(
        lambda task, layer, **_: float(layer == (0 if task == "maths_0" else 3)), tasks, examples=6
    )
    frame = frame[(frame.task == "maths_0") | (frame.example < 2)]
    frame.loc[frame.task == "maths_1", "delta_logodds"] *= 1.1
    row = sna.layer_peaks(frame, n_resamples=20).iloc[0]
    assert row.layer == 3 and row.effect == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("by", "columns", "n"),
    [
        ("task", ["task"], 12),
        ("difficulty", ["difficulty"], 4),
        (["domain", "difficulty"], ["domain", "difficulty"], 12),
    ],
)
def test_peaks_by_other_groups(by, columns, n):
    frame = sweep(planted, examples=2)
    table = sna.layer_peaks(frame, by=by, n_resamples=20)
    assert len(table) == n and list(table.columns)[: len(columns)] == columns
    pd.testing.assert_frame_equal(
        table[columns], frame[columns].drop_duplicates().reset_index(drop=True)
    )


def test_select_and_test_examples_of_the_same_number_are_different_examples():
    def better_on_test(task, layer, split, **_):
        return float(layer == 2) * (3 if split == "test" else 1)

    frame = sweep(better_on_test, {"maths_0": ("maths", 0.1)}, examples=1)
    assert sna.layer_peaks(frame, n_resamples=20).effect[0] == pytest.approx(2)


def test_peaks_follow_the_seed_and_a_model_of_one_layer_has_depth_zero():
    frame = sweep(noise(), examples=4)
    one, two, other = (sna.layer_peaks(frame, n_resamples=100, seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert (one.effect == other.effect).all() and (one.share != other.share).any()
    assert sna.layer_peaks(sweep(noise(), examples=2, layers=[0])).depth.tolist() == [0, 0, 0]


def test_sweeps_without_peaks():
    frame = sweep(noise(), examples=2)
    with pytest.raises(sna.DataError, match="no column example"):
        sna.layer_peaks(sna.task_level(frame))
    with pytest.raises(sna.DataError, match="no column kind"):
        sna.layer_peaks(frame, by="kind")
    with pytest.raises(sna.DataError, match="2 methods"):
        sna.layer_peaks(pd.concat([frame, frame.assign(method="random")]))
    with pytest.raises(sna.DataError, match=r"'maths'.* single example"):
        alone = frame[(frame.example == 0) & (frame.split == "test")]
        sna.layer_peaks(alone)
    with pytest.raises(sna.DataError, match=r"poetry_2.* is missing or infinite"):
        sna.layer_peaks(frame[(frame.task != "poetry_2") | (frame.layer != 1)])
