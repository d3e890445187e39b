"""Loading tells the truth: every weight comes from the files, or the model is refused by kind."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import factory
import snahelpers as sna
from snahelpers import checkpoints, models

END = factory.tokenizer().convert_tokens_to_ids(factory.END)


def rewritten(folder, family, change):
    """A copy of a model's folder whose tensors went through `change`."""
    shutil.copytree(factory.folder(family), folder, dirs_exist_ok=True)
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("prefix", models.PREFIXES)
def test_a_wrapped_models_weights_are_refused_with_the_cure(tmp_path, prefix):
    wrapped = rewritten(
        tmp_path, "llama", lambda tensors: {prefix + name: t for name, t in tensors.items()}
    )
    with pytest.raises(sna.ModelError, match=r"are missing .*are not known") as caught:
        sna.load_model(wrapped)
    assert f"take {prefix!r} off the names" in str(caught.value)


def test_a_missing_weight_is_named(tmp_path):
    def without(tensors):
        return {n: t for n, t in tensors.items() if "layers.1.mlp.down_proj" not in n}

    with pytest.raises(sna.ModelError, match=r"1 are missing \(model.layers.1.mlp.down_proj"):
        sna.load_model(rewritten(tmp_path, "llama", without))


MASK = torch.ones(1, 1, 64, 64)
OF_2019 = {"attn.bias": MASK, "attn.masked_bias": torch.tensor(-1e4)}
OF_PYTHIA = {
    "attention.bias": MASK,
    "attention.masked_bias": torch.tensor(-1e9),
    "attention.rotary_emb.inv_freq": torch.ones(4),
}


@pytest.mark.parametrize(
    ("family", "block", "masks"),
    [("gpt2", "transformer.h", OF_2019), ("neox", "gpt_neox.layers", OF_PYTHIA)],
)
def test_masks_that_older_files_carry_are_no_weights(tmp_path, family, block, masks):
    more = {f"{block}.{i}.{name}": m.clone() for i in range(3) for name, m in masks.items()}
    model = sna.load_model(rewritten(tmp_path, family, lambda tensors: tensors | more))
    again, before = (sna.measure(m, factory.task()).p for m in (model, factory.load(family)))
    assert again.equals(before)


BERT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
OTHER_KINDS = {
    "BertForMaskedLM": BERT,
    "RobertaForMaskedLM": BERT,
    "T5ForConditionalGeneration": dict(d_model=32, d_ff=64, num_layers=2, num_heads=2, d_kv=16),
    "GPT2ForSequenceClassification": factory.GPT2,
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_what_does_not_predict_the_next_token_is_refused_by_its_kind(tmp_path, kind):
    factory.write(tmp_path, kind, pad_token_id=END, **OTHER_KINDS[kind])
    with pytest.raises(sna.ModelError, match=f"is a {kind}, and not a language model"):
        sna.load_model(tmp_path)


def test_an_adapter_has_to_be_merged_first(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(sna.ModelError, match=r"is an adapter .LoRA.*Merge it first"):
        sna.load_model(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(name="minnow", dtype="float17"), "no floating-point type"),
        (dict(name="minnow", dtype=torch.int32), "no floating-point type"),
        (dict(name=torch.nn.Linear(1, 1)), "not a Linear. Save a model"),
        (dict(name="x" * 5000), "5,000 characters"),
        (dict(name="./nowhere"), r"There is no file or folder ./nowhere"),
        (dict(name="~nobody/x"), "There is no file or folder"),
        (dict(name="nowhere.gguf"), "There is no file or folder"),
    ],
)
def test_what_cannot_be_loaded_is_a_sentence_about_that(arguments, said):
    with pytest.raises(sna.ModelError, match=said):
        sna.load_model(**arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(sna.ModelError, match="no CUDA GPU here"):
        sna.load_model("minnow", device="cuda")


# GGUF


@pytest.fixture
def gguf_file(tmp_path, monkeypatch):
    """A GGUF file of a tiny Llama, and a cache of its own."""
    gguf = pytest.importorskip("gguf", reason="the optional package gguf is not installed")
    monkeypatch.setattr(checkpoints, "HF_HOME", str(tmp_path / "cache"))
    llama, file = factory.plain("llama"), tmp_path / "tiny.gguf"
    config, tokenizer = llama.config, factory.tokenizer()
    writer = gguf.GGUFWriter(file, "llama")
    header = dict(
        block_count=config.num_hidden_layers,
        context_length=config.max_position_embeddings,
        embedding_length=config.hidden_size,
        feed_forward_length=config.intermediate_size,
        head_count=config.num_attention_heads,
        head_count_kv=config.num_key_value_heads,
        layer_norm_rms_eps=config.rms_norm_eps,
        rope_freq_base=10000.0,
        vocab_size=config.vocab_size,
        tokenizer_model="gpt2",
        token_list=sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get),
        token_merges=[
            " ".join(m) for m in json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
        ],
        bos_token_id=END,
        eos_token_id=END,
    )
    for name, value in header.items():
        getattr(writer, f"add_{name}")(value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in llama.state_dict().items():
        writer.add_tensor(names.get_name(name, [".weight"]), tensor.half().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_a_gguf_file_is_converted_once_and_never_changed(gguf_file, capsys):
    before = gguf_file.read_bytes()
    first = sna.load_model(gguf_file, device="cpu")
    assert "Converting tiny.gguf" in capsys.readouterr().out
    again = sna.load_model(gguf_file.parent, device="cpu")  # a folder that holds one
    assert capsys.readouterr().out == "" and gguf_file.read_bytes() == before
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same) and len(list((gguf_file.parent / "cache" / "snahelpers").iterdir())) == 1
    assert sna.measure(first, factory.task()).p.between(0, 1).all()


def test_a_gguf_file_without_the_package_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(checkpoints, "HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(checkpoints, "find_spec", lambda name: None)
    with pytest.raises(sna.ModelError, match="pip install gguf"):
        sna.load_model(tmp_path / "x.gguf")
    with pytest.raises(sna.ModelError, match="make smollm2"):
        sna.load_model("smollm2")


def test_a_damaged_gguf_file_leaves_nothing_behind(tmp_path, monkeypatch):
    pytest.importorskip("gguf", reason="the optional package gguf is not installed")
    (tmp_path / "x.gguf").write_bytes(b"GGUF and then nothing")
    monkeypatch.setattr(checkpoints, "HF_HOME", str(tmp_path / "cache"))
    with pytest.raises(sna.ModelError, match=r"x\.gguf"):
        sna.load_model(tmp_path / "x.gguf")
    assert not list((tmp_path / "cache" / "snahelpers").iterdir())


def test_two_processes_may_convert_at_once(gguf_file):
    code = (
        "import sys; from pathlib import Path; from snahelpers import checkpoints as c; "
        "c.HF_HOME = sys.argv[2]; print(c.converted(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(gguf_file), str(gguf_file.parent / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate()[0].splitlines()[-1] for process in both}
    assert len(folders) == 1 and not any(process.returncode for process in both)
    assert (checkpoints.Path(folders.pop()) / "config.json").is_file()
