"""Every method gets its own best configuration; who wins is judged on the same new prompts."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import factory
import snahelpers as sna
from snahelpers import engines, methods
from snahelpers.contests import mean_advantage
from snahelpers.methods import METHODS, Method
from snahelpers.stats import holm

TASK = factory.task()
TWO = [TASK, factory.task("other", factory.PROMPTS[::-1], factory.TARGETS[::-1])]
GRID = sna.Grid(counts=(3, 10), multipliers=(1.5, 3.0))
COLUMNS = ["p_base", "p_post", "delta_logodds"]


def held(tasks=TWO, **options):
    options = {"draws": 2, "neutral": factory.SENTENCES, "progress": False} | options
    return sna.contest(factory.load("gpt2"), tasks, GRID, **options)


def frame_of(effects, model="m"):
    """A contest's table from Δlog-odds by (task, method, draw)."""
    parts = []
    for (task, method, draw), values in effects.items():
        part = pd.DataFrame({"example": range(len(values)), "delta_logodds": values})
        parts.append(part.assign(model=model, task=task, method=method, draw=draw, split="test"))
    return pd.concat(parts, ignore_index=True)


def test_each_method_and_draw_shows_what_its_best_configuration_does():
    frame = held()
    found = {(m, d) for m, d in zip(frame.method, frame.draw, strict=True)}
    draws = {name: 2 if method.drawn else 1 for name, method in METHODS.items()}
    assert found == {(name, draw) for name in METHODS for draw in range(draws[name])}
    examples = sum(len(task) for task in TWO)
    assert frame.groupby(["method", "draw"]).size().eq(examples).all()
    model, options = factory.load("gpt2"), dict(neutral=factory.SENTENCES, progress=False)
    for method, draw in (("differential", 0), ("matched", 1), ("norm_matched", 1), ("steering", 0)):
        whole = sna.sweep(model, TWO, GRID, method=method, seed=draw, **options)
        part = frame[(frame.method == method) & (frame.draw == draw)]
        for row in sna.summarize(whole).itertuples():
            mine = part[part.task == row.task]
            for column in ("layer", "n_neurons", "multiplier"):
                assert set(mine[column]) == {getattr(row, column)}
            means = mine.groupby("split")[COLUMNS].mean()
            assert means.delta_logodds["test"] == pytest.approx(row.test_logodds, abs=1e-5)
            assert means.p_base["select"] == pytest.approx(row.p_base, rel=1e-5)


@pytest.fixture
def counted(monkeypatch):
    """Counts the calls of a function by its name."""

    def counted(module, name):
        calls, function = [], getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, **k: calls.append(a) or function(*a, **k))
        return calls

    return counted


def test_an_engine_that_was_exact_at_more_layers_is_not_proven_again(counted):
    model = factory.load("gpt2")
    model.kept, tried = {}, counted(engines, "disagreement")
    for layers, proven in (([0, 2], False), ([2], True), ([1], False), ([0], True), ([1], True)):
        before = len(tried)
        factory.sweep(model, TWO, sna.Grid(layers, [2], [1.5]))
        assert (len(tried) == before) == proven


def test_what_methods_read_alike_is_read_once(counted):
    names = ("differential", "negative", "matched")
    whole = held(methods=names)
    factory.load("gpt2").kept = {}
    read, tried = counted(methods, "mean_activations"), counted(engines, "disagreement")
    run = counted(methods, "CleanPass")
    held(methods=["differential"])
    once = len(read), len(tried)
    assert once[0] == 1 + len(TWO) and once[1] > 1  # neutral text and tasks; layers and lengths
    batches = len(run)
    factory.load("gpt2").kept = {}
    frame = held((task for task in TWO), methods=names)  # tasks may come once, too
    assert (len(read), len(tried)) == (2 * once[0], 2 * once[1])
    assert len(run) == 2 * batches  # by all methods and draws together, not by each
    held(methods=names)  # and what these weights have shown is known
    assert (len(read), len(tried)) == (2 * once[0], 2 * once[1])
    pd.testing.assert_frame_equal(frame, whole)


def test_a_stopped_contest_goes_on_and_gives_the_same(tmp_path, monkeypatch):
    names = ("differential", "matched", "steering")
    whole = held(methods=names)
    with monkeypatch.context() as patched:
        patched.setitem(METHODS, "steering", Method(fit=None))  # stops there
        with pytest.raises(TypeError):
            held(methods=names, out=tmp_path)
    done = ("differential-0", "matched-0", "matched-1")
    files = {f"{name}{end}.parquet" for name in done for end in ("", "-test")}
    assert {path.name for path in tmp_path.glob("*.parquet")} == files
    pd.testing.assert_frame_equal(held(methods=names, out=tmp_path), whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "draws 0 is out of range"),
        ({"methods": ()}, "methods is empty"),
        ({"methods": ["matched", "steer"]}, "method 'steer'.*Did you mean 'steering'"),
        ({"tasks": "countries"}, "no task 'countries'"),
        ({"out": "nowhere/at/all"}, "no folder nowhere"),
    ],
)
def test_what_cannot_be_held(options, message):
    with pytest.raises(sna.SNAError, match=message):
        held(**options)


def test_a_rival_is_compared_on_the_same_prompts():
    rng = np.random.default_rng(0)
    own, first, second = rng.normal((1.0, 0.2, 0.4), 0.3, (8, 3)).T
    measured = {("t", "differential", 0): own, ("t", "matched", 0): first}
    frame = frame_of(measured | {("t", "matched", 1): second})
    [row] = sna.compare(frame, "matched").itertuples()
    difference = own - (first + second) / 2
    assert row.n == 8 and row.sna == pytest.approx(own.mean())
    assert row.rival == pytest.approx((first.mean() + second.mean()) / 2)
    assert row.difference == pytest.approx(difference.mean())
    signs = np.array(list(itertools.product([-1, 1], repeat=8)))
    exact = (signs @ difference >= difference.sum() - 1e-9).mean()
    assert row.p == pytest.approx(exact, abs=0.01) and row.p_holm == row.p
    half = stats.sem(difference) * 1.96
    assert row.low == pytest.approx(row.difference - half, abs=0.08)
    assert row.high == pytest.approx(row.difference + half, abs=0.08)
    assert row.p_draws == 1 / 3


def test_p_is_adjusted_over_the_tasks_of_a_model_and_draws_are_counted():
    effects = {}
    for i in range(4):
        effects[f"t{i}", "differential", 0] = np.arange(10) / 10 + (1.0 if i == 0 else -0.5)
        effects |= {(f"t{i}", "matched", d): np.full(10, 0.1 * d) for d in range(9)}
    table = sna.compare(
        pd.concat([frame_of(effects), frame_of(effects, "n")], ignore_index=True), "matched"
    )
    assert len(table) == 8 and table.model.tolist() == ["m"] * 4 + ["n"] * 4
    one = table[table.model == "m"]
    np.testing.assert_allclose(one.p_holm, holm(one.p))
    assert one.p_draws.tolist() == [0.1, *[1.0] * 3]
    assert one.p_holm.iloc[0] < 0.05 < one.p_holm.iloc[1:].min()


def test_tables_that_cannot_be_compared():
    frame = frame_of({("t", "differential", 0): [1.0, 2.0], ("t", "matched", 0): [0.0, 0.1]})
    with pytest.raises(sna.DataError, match="No 'test' rows of 'steering'"):
        sna.compare(frame, "steering")
    with pytest.raises(sna.DataError, match="no column draw"):
        sna.compare(frame.drop(columns="draw"), "matched")
    with pytest.raises(sna.DataError, match="t: 'matched' was not measured on all"):
        sna.compare(frame[:-1], "matched")


def test_winners_are_chosen_on_select():
    model = factory.load("gpt2")
    options = dict(neutral=factory.SENTENCES, progress=False, per_example=True)
    frame = sna.sweep(model, TASK, GRID, **options)
    worse = frame.copy()
    worse.loc[worse.split == "test", "p_post"] = 0.0
    columns = ["layer", "n_neurons", "multiplier", "example"]
    pd.testing.assert_frame_equal(sna.winners(frame)[columns], sna.winners(worse)[columns])
    assert len(sna.winners(frame)) == len(TASK)


# The positive control


def test_the_contest_says_real_where_it_is_true_by_construction():
    grid = sna.Grid(layers=(6, 7, 8), counts=(10, 25), multipliers=(1.5, 2.4))
    methods = ("differential", "negative", "norm_matched", "temperature", "steering")
    planted = sna.load_tasks("planted")
    frame = sna.contest(
        sna.load_dimmed(0.4), planted, grid, methods=methods, draws=3, progress=False
    )
    for rival in methods[1:]:
        [row] = sna.compare(frame, rival).itertuples()
        assert row.low > 3 and row.p < 0.01, rival
    nothing = sna.contest(sna.load_dimmed(0), planted, grid, methods=methods[:1], progress=False)
    assert abs(nothing.delta_logodds[nothing.split == "test"].mean()) < 1


def contest_of(advantages, rng, n=30):
    """A contest in which the amplification does so much more than its rival, by task."""
    effects = {}
    for task, advantage in advantages.items():
        for draw in range(2):
            effects[task, "norm_matched", draw] = rng.normal(0, 1, n)
        effects[task, "differential", 0] = rng.normal(advantage, 1, n)
    return frame_of(effects)


def test_the_mean_advantage_counts_tasks_alike_and_takes_off_others():
    rng = np.random.default_rng(0)
    frame = contest_of({"a": 3, "b": 1}, rng, 20)
    frame = pd.concat([frame, contest_of({"c": 1}, rng, 5)], ignore_index=True)
    table = sna.compare(frame, "norm_matched").set_index("task").difference
    found = mean_advantage(frame, "norm_matched", ["a", "c"], ["b"])
    assert found["value"] == pytest.approx((table.a + table.c) / 2 - table.b)
    assert found["n"] == 45 and found["low"] < found["value"] < found["high"]
    assert mean_advantage(frame, "norm_matched", ["a"])["p"] == pytest.approx(1 / 10_001)
    assert mean_advantage(frame, "norm_matched", ["b"], ["a"])["p"] > 0.99


def test_a_mean_advantage_of_none_is_found_as_often_as_its_level_says():
    rng = np.random.default_rng(1)
    p = [
        mean_advantage(contest_of({"a": 0, "b": 0, "c": 0}, rng, 12), "norm_matched", "ab", "c")[
            "p"
        ]
        for _ in range(60)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_what_has_no_mean_advantage():
    frame = contest_of({"a": 0}, np.random.default_rng(0))
    with pytest.raises(sna.DataError, match="No 'test' rows of 'steering'"):
        mean_advantage(frame, "steering", ["a"])
    with pytest.raises(sna.DataError, match="nowhere: 'differential' was not measured"):
        mean_advantage(frame, "norm_matched", ["nowhere"])
