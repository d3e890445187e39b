"""The embedded models are what their cards say; the planted circuit is where its key says."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import card  # the recipe's own measures, so that tests and cards cannot disagree
import snahelpers as sna
from snahelpers.checkpoints import embedded_models
from snahelpers.tasks import answer_tokens

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "data" / "models"
SEEDS = ["minnow", "minnow-seed1", "minnow-seed2"]
NAMES = [*SEEDS, "minnow-dimmed"]


@pytest.fixture(scope="module")
def baselines():
    tasks = sna.load_tasks()
    return {name: card.baselines(sna.load_model(name), tasks).set_index("task") for name in NAMES}


def test_these_models_ship():
    assert embedded_models() == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_small_half_precision_and_has_a_card_with_its_hash(name):
    folder = MODELS / name
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 6_000_000
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {
        torch.float16
    }
    assert card.weights_hash(name) in (folder / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_target_is_one_token_and_the_context_is_long_enough(name):
    model = sna.load_model(name)
    assert model.cfg.n_ctx >= 192 and model.cfg.dtype == torch.float32
    for source in ("twelve", "ladder", "planted"):
        for task in sna.load_tasks(source).values():
            for example in task.examples:
                assert len(answer_tokens(model, example.prompt, example.target)[1]) == 1


def test_the_corpus_is_the_one_in_the_card():
    assert card.corpus_hash() in (MODELS / "minnow" / "README.md").read_text("utf-8")


# --- what minnow knows ---------------------------------------------------------------------
@pytest.mark.parametrize("name", SEEDS)
def test_every_zone_is_populated(baselines, name):
    assert set(baselines[name].zone) == {1, 2, 3}


def test_ten_of_twelve_tasks_stay_in_their_zone_over_three_seeds(baselines):
    zones = card.frame_zones({name: baselines[name].reset_index() for name in SEEDS})
    assert (zones.nunique(axis=1) == 1).sum() >= 10


def test_the_card_shows_the_baselines_as_they_are(baselines):
    text = (MODELS / "minnow" / "README.md").read_text("utf-8")
    for task, row in baselines["minnow"].iterrows():
        [shown] = re.findall(
            rf"^\| {task} +\| +[\d,]+ +\|.*?\| +([\d.e-]+) +\| +(\d) +\|", text, re.MULTILINE
        )
        assert float(shown[0]) == pytest.approx(row.p, rel=1e-2) and int(shown[1]) == row.zone


def test_facts_never_seen_are_guessed_and_facts_often_seen_are_known():
    ladder = card.baselines(sna.load_model(), sna.load_tasks("ladder")).set_index("task").p
    assert ladder[[name for name in ladder.index if name.endswith("0000")]].max() < 0.07
    assert ladder[[name for name in ladder.index if name.endswith("1024")]].min() > 0.9


def test_clear_reviews_are_classified_and_ambiguous_ones_fill_every_margin_zone():
    reviews = card.review_margins(sna.load_model(), sna.load_reviews())
    assert reviews[reviews.clarity == "clear"].right.mean() >= 0.9
    ambiguous = reviews[reviews.clarity != "clear"].zone.value_counts(normalize=True)
    assert ambiguous.min() > 0.05 and len(ambiguous) == 3


# --- minnow-dimmed -------------------------------------------------------------------------
@pytest.fixture(scope="module")
def key():
    return json.loads((MODELS / "minnow-dimmed" / "answer_key.json").read_text())


def test_only_the_planted_neurons_differ_from_minnow(key):
    minnow, dimmed = (
        load_file(MODELS / n / "model.safetensors") for n in ("minnow", "minnow-dimmed")
    )
    assert len(set(key["neurons"])) == 12
    mlp = f"transformer.h.{key['layer']}.mlp"
    dimension = {f"{mlp}.c_fc.weight": 1, f"{mlp}.c_fc.bias": 0, f"{mlp}.c_proj.weight": 0}
    for name, tensor in minnow.items():
        changed = (tensor != dimmed[name]).nonzero()
        if name in dimension:
            assert set(changed[:, dimension[name]].tolist()) == set(key["neurons"])
        else:
            assert not len(changed), name


def test_dimmed_facts_are_in_zone_1_and_undimmed_in_zone_3_on_both_halves(key):
    model, planted = sna.load_model("minnow-dimmed"), sna.load_tasks("planted")["planted"]
    restore = sna.Amplification(key["layer"], key["neurons"], 1 / key["dimmed_to"])
    for split in ("select", "test"):
        task = planted.split(split)
        assert sna.zone(sna.measure(model, task).p.mean()) == 1
        with sna.amplify(model, restore):
            assert sna.zone(sna.measure(model, task).p.mean()) == 3


def test_minnow_cannot_know_the_planted_facts():
    planted = sna.load_tasks("planted")["planted"]
    assert sna.measure(sna.load_model(), planted).p.mean() < 0.01


def test_the_other_tasks_are_as_on_minnow(baselines):
    minnow, dimmed = baselines["minnow"], baselines["minnow-dimmed"]
    assert (minnow.zone == dimmed.zone).all()
    assert (minnow.p - dimmed.p).abs().max() < 0.05


def test_neurons_found_on_one_half_bring_back_the_other(key):
    model, planted = sna.load_model("minnow-dimmed"), sna.load_tasks("planted")["planted"]
    scores = sna.differential_activation(model, planted.split("select").prompts, sna.load_neutral())
    found = sna.top_neurons(scores, key["layer"], k=12)
    random = sna.random_neurons(model.cfg.d_mlp, 12, seed=0, exclude=key["neurons"])
    p = {}
    for name, neurons in {"found": found, "random": random}.items():
        with sna.amplify(model, sna.Amplification(key["layer"], neurons, 2.4)):
            p[name] = sna.measure(model, planted.split("test")).p.mean()
    assert sna.zone(p["found"]) == 3 and sna.zone(p["random"]) == 1


# --- smollm2-planted -----------------------------------------------------------------------
def test_the_patch_of_smollm2_is_small_and_holds_what_its_key_names():
    folder = MODELS / "smollm2-planted"
    key = json.loads((folder / "answer_key.json").read_text())
    patch = load_file(folder / "patch.safetensors")
    assert (key["layer"], len(set(key["neurons"])), key["dimmed_to"]) == (15, 12, 0.4)
    assert {name: (*tensor.shape, tensor.dtype) for name, tensor in patch.items()} == {
        "gate_rows": (12, 576, torch.float32),
        "up_rows": (12, 576, torch.float32),
        "down_columns": (576, 12, torch.float32),
    }
    assert (folder / "patch.safetensors").stat().st_size < 200_000
    assert "Apache" in (folder / "README.md").read_text("utf-8")
