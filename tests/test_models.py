"""Models load safely, quietly and offline, with working neuron sites; or one sentence says why."""

import json
import logging
import shutil
import types
import warnings
from pathlib import Path

import huggingface_hub.errors
import numpy as np
import pytest
import torch
import transformers
from transformer_lens.model_bridge import TransformerBridge

import factory
import snahelpers as sna
from snahelpers import checkpoints, models


@pytest.fixture
def gpt2_copy(tmp_path) -> Path:
    return Path(shutil.copytree(factory.folder("gpt2"), tmp_path / "copy"))


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for the hub: `hub(error)` fails so, `hub(files)` has those files."""

    def stand_in(answer):
        def model_info(self, name, files_metadata):
            if isinstance(answer, Exception):
                raise answer
            siblings = [types.SimpleNamespace(rfilename=f, size=s) for f, s in answer.items()]
            return types.SimpleNamespace(siblings=siblings)

        monkeypatch.setattr(checkpoints.HfApi, "model_info", model_info)
        monkeypatch.setattr(checkpoints, "cached_folder", lambda name: None)

    return stand_in


@pytest.mark.parametrize("family", factory.DENSE)
def test_loads_in_eval_mode_without_gradients(family):
    model = factory.load(family)
    assert isinstance(model, TransformerBridge)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.cfg.model_name == family


@pytest.mark.parametrize("family", factory.DENSE)
def test_gives_the_logits_of_plain_transformers(family):
    model = factory.load(family, torch.float64)
    tokens = model.to_tokens(factory.PROMPTS[0])
    expected = factory.plain_logits(family, tokens)
    torch.testing.assert_close(model(tokens), expected, **factory.tolerance(family))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, "float64"])
def test_runs_in_the_precision_asked_for(dtype):
    asked = torch.float64 if dtype == "float64" else dtype
    assert factory.load("gpt2", dtype)("The cat").dtype == asked


def test_default_is_the_environments_model_then_minnow(monkeypatch):
    asked = []

    def locate(name):
        asked.append(name)
        raise sna.ModelError("stop")

    monkeypatch.setattr(models, "locate", locate)
    for setting in ("some/model", ""):
        monkeypatch.setenv("SNA_MODEL", setting)
        with pytest.raises(sna.ModelError):
            sna.load_model()
    assert asked == ["some/model", "minnow"]


def test_embedded_models_are_the_folders_in_data(monkeypatch, tmp_path, gpt2_copy):
    monkeypatch.setattr(checkpoints, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    (tmp_path / "models").mkdir()
    gpt2_copy.rename(tmp_path / "models" / "sprat")
    (tmp_path / "models" / "not-a-model").mkdir()
    assert checkpoints.embedded_models() == ["sprat"]
    assert sna.load_model("sprat").cfg.model_name == "sprat"


def test_loading_is_silent_and_leaves_settings_alone(capfd):
    def settings():
        return (
            transformers.utils.logging.get_verbosity(),
            transformers.utils.logging.is_progress_bar_enabled(),
            logging.root.manager.disable,
            list(warnings.filters),
        )

    before = settings()
    sna.load_model(factory.folder("gpt2"))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert settings() == before


OFFLINE = huggingface_hub.errors.OfflineModeIsEnabled("offline")


@pytest.mark.parametrize(
    ("name", "meant", "error"),
    [
        ("minow", "minnow", OFFLINE),
        ("Minnow", "minnow", OFFLINE),
        ("gpt2-medum", "gpt2-medium", ConnectionError()),
    ],
)
def test_unknown_name_suggests_embedded_and_well_known_models(hub, name, meant, error):
    hub(error)
    with pytest.raises(sna.ModelError, match=f"no model '{name}'. Did you mean '{meant}'"):
        sna.load_model(name)


@pytest.mark.parametrize("name", ["gpt2-medium", "someone/their-model"])
def test_no_network_names_three_ways_out(hub, name):
    hub(ConnectionError("no route"))
    with pytest.raises(sna.ModelError, match="cannot be reached") as error:
        sna.load_model(name)
    for way_out in ("embedded model", "connect", "folder", "HF_HOME"):
        assert way_out in str(error.value)


def test_download_says_size_and_source_and_takes_only_what_is_needed(hub, monkeypatch, capsys):
    hub({"model.safetensors": 548_000_000, "pytorch_model.bin": 9e9, "onnx/model.safetensors": 9e9})
    folder, asked = factory.folder("gpt2"), {}

    def snapshot_download(name, **options):
        asked.update(options)
        return folder

    monkeypatch.setattr(checkpoints, "hf_hub_download", lambda name, file: folder / file)
    monkeypatch.setattr(checkpoints, "snapshot_download", snapshot_download)
    model = sna.load_model("someone/model")
    assert model.cfg.model_name == "someone/model"
    printed = capsys.readouterr().out
    assert "someone/model" in printed and "548 MB" in printed and "https://" in printed
    assert "*.safetensors" not in asked["allow_patterns"] and "*.bin" not in asked["allow_patterns"]


def test_hub_model_with_only_pickles_is_refused_before_download(hub):
    hub({"config.json": 1, "pytorch_model.bin": 10})
    with pytest.raises(sna.ModelError, match=r"pytorch_model.bin, a pickle.*save_pretrained"):
        sna.load_model("someone/old")


def test_hub_mixture_of_experts_is_refused_before_download(hub, monkeypatch):
    hub({"model.safetensors": 90e9})
    folder = factory.folder("mixtral")
    monkeypatch.setattr(checkpoints, "hf_hub_download", lambda name, file: folder / file)
    with pytest.raises(sna.ModelError, match=r"someone/moe .*mixture of experts"):
        sna.load_model("someone/moe")


def test_a_licence_that_was_not_accepted_names_the_way(hub):
    gated = huggingface_hub.errors.GatedRepoError
    hub(gated("no", response=types.SimpleNamespace(headers={}, request=None)))
    with pytest.raises(sna.ModelError, match=r"accept its licence.*hf auth login"):
        sna.load_model("meta-llama/Llama-3.2-1B")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_folder_that_lacks_a_file_names_it(gpt2_copy, file):
    (gpt2_copy / file).unlink()
    with pytest.raises(sna.ModelError, match=f"{file} is missing"):
        sna.load_model(gpt2_copy)


def test_folder_that_lacks_a_part_of_the_weights_names_it(gpt2_copy):
    shard = "model-00001-of-00002.safetensors"
    (gpt2_copy / "model.safetensors").rename(gpt2_copy / shard)
    index = {"weight_map": {"a": shard, "b": "model-00002-of-00002.safetensors"}}
    (gpt2_copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(sna.ModelError, match=r"model-00002-of-00002.safetensors is missing"):
        sna.load_model(gpt2_copy)


def test_pickle_weights_are_refused_without_being_opened(gpt2_copy):
    (gpt2_copy / "model.safetensors").unlink()
    (gpt2_copy / "pytorch_model.bin").write_bytes(b"not even a pickle")
    with pytest.raises(sna.ModelError, match=r"pytorch_model.bin, a pickle.*convert"):
        sna.load_model(gpt2_copy)


def test_damaged_weights_are_one_sentence(gpt2_copy):
    (gpt2_copy / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(sna.ModelError, match="could not load it"):
        sna.load_model(gpt2_copy)


def test_remote_code_is_never_run(gpt2_copy):
    config = json.loads((gpt2_copy / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (gpt2_copy / "config.json").write_text(json.dumps(config))
    (gpt2_copy / "mine.py").write_text("raise SystemExit('this code must not run')")
    with pytest.raises(sna.ModelError):
        sna.load_model(gpt2_copy)


def test_mixture_of_experts_is_refused_by_name():
    with pytest.raises(sna.ModelError, match=r"MixtralForCausalLM.*mixture of experts \(4"):
        sna.load_model(factory.folder("mixtral"))


@pytest.mark.parametrize("step", ["hf_hub_download", "snapshot_download"])
def test_a_download_that_breaks_off_is_one_sentence_too(hub, monkeypatch, step):
    hub({"model.safetensors": 1000})
    folder = factory.folder("gpt2")

    def breaks_off(*args, local_files_only=False, **options):
        if local_files_only:  # not in the cache yet
            raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
        raise ConnectionError("no route")

    monkeypatch.setattr(checkpoints, "hf_hub_download", lambda name, file: folder / file)
    monkeypatch.setattr(checkpoints, step, breaks_off)
    with pytest.raises(sna.ModelError, match="cannot be reached"):
        sna.load_model("someone/model")


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_a_folder_with_a_damaged_configuration_says_so(gpt2_copy, content):
    (gpt2_copy / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(sna.ModelError, match="damaged"):
        sna.load_model(gpt2_copy)


def test_dimming_sets_the_strength_of_the_planted_neurons_alone():
    key, facts = sna.answer_key(), sna.load_tasks("planted")["planted"]
    shipped, same, off = sna.load_model("minnow-dimmed"), sna.load_dimmed(0.4), sna.load_dimmed(0)
    assert same.cfg.model_name == "minnow-dimmed × 0.4"
    weights = off.state_dict()
    changed = [
        name for name, value in shipped.state_dict().items() if (value != weights[name]).any()
    ]
    assert len(changed) >= 1 and all(f".{key['layer']}." in name for name in changed)
    np.testing.assert_allclose(
        sna.measure(same, facts).logodds, sna.measure(shipped, facts).logodds, rtol=1e-6
    )
    site = shipped.blocks[key["layer"]].mlp.hook_post.name

    def mute(activation, hook):  # everywhere; amplify would leave the beginning of sequence alone
        activation[..., key["neurons"]] = 0
        return activation

    with shipped.hooks([(site, mute)]):
        muted = sna.measure(shipped, facts).logodds
    np.testing.assert_allclose(sna.measure(off, facts).logodds, muted, rtol=1e-4)
    p = [sna.measure(sna.load_dimmed(f), facts).p.mean() for f in (0, 0.4, 1)]
    assert p[0] < p[1] < 0.01 < 0.2 < p[2]


@pytest.mark.parametrize("factor", [-0.1, 11, float("nan")])
def test_no_such_factor(factor):
    with pytest.raises(sna.SNAError, match=r"factor is .* from 0 to 10"):
        sna.load_dimmed(factor)


def test_a_circuit_that_was_never_planted_is_said_to_be_none():
    for ask in (sna.answer_key, lambda base: sna.load_dimmed(0.4, base)):
        with pytest.raises(sna.ModelError, match=r"'smolm2'.*Did you mean 'smollm2'"):
            ask("smolm2")
