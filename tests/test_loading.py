"""Loading tells the truth: every weight comes from the files, or the model is refused by kind."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
import transformers
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


def test_masks_that_older_files_carry_are_no_weights(tmp_path):
    def as_in_2019(tensors):
        masks = {f"transformer.h.{i}.attn.bias": torch.ones(1, 1, 64, 64) for i in range(3)}
        masks |= {f"transformer.h.{i}.attn.masked_bias": torch.tensor(-1e4) for i in range(3)}
        return tensors | masks

    def as_pythia(tensors):
        masks = {f"gpt_neox.layers.{i}.attention.bias": torch.ones(1, 1, 64, 64) for i in range(3)}
        masks |= {
            f"gpt_neox.layers.{i}.attention.masked_bias": torch.tensor(-1e9) for i in range(3)
        }
        masks |= {
            f"gpt_neox.layers.{i}.attention.rotary_emb.inv_freq": torch.ones(4) for i in range(3)
        }
        return tensors | masks

    for family, change in (("gpt2", as_in_2019), ("neox", as_pythia)):
        model = sna.load_model(rewritten(tmp_path / family, family, change), device="cpu")
        again = sna.measure(model, factory.task()).p
        assert again.tolist() == sna.measure(factory.load(family), factory.task()).p.tolist()


def small(kind, config, **options):
    torch.manual_seed(0)
    return kind(config(vocab_size=len(factory.tokenizer()), pad_token_id=END, **options))


BERT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
OTHER_KINDS = {
    "BertForMaskedLM": lambda: small(transformers.BertForMaskedLM, transformers.BertConfig, **BERT),
    "RobertaForMaskedLM": lambda: small(
        transformers.RobertaForMaskedLM, transformers.RobertaConfig, **BERT
    ),
    "T5ForConditionalGeneration": lambda: small(
        transformers.T5ForConditionalGeneration,
        transformers.T5Config,
        d_model=32,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        d_kv=16,
    ),
    "GPT2ForSequenceClassification": lambda: small(
        transformers.GPT2ForSequenceClassification,
        transformers.GPT2Config,
        n_layer=2,
        n_embd=32,
        n_head=2,
    ),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_what_does_not_predict_the_next_token_is_refused_by_its_kind(tmp_path, kind):
    OTHER_KINDS[kind]().save_pretrained(tmp_path)
    factory.tokenizer().save_pretrained(tmp_path)
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
        (dict(name="~nobody/x"), "There is no folder"),
        (dict(name="nowhere.gguf"), "There is no folder"),
    ],
)
def test_what_cannot_be_loaded_is_a_sentence_about_that(arguments, said):
    with pytest.raises(sna.ModelError, match=said):
        sna.load_model(**arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(sna.ModelError, match="no CUDA GPU here"):
        sna.load_model("minnow", device="cuda")


def test_dtype_may_be_a_word():
    assert sna.load_model(factory.folder("gpt2"), dtype="float64").cfg.dtype == torch.float64


# GGUF


@pytest.fixture
def gguf_file(tmp_path, monkeypatch):
    """A GGUF file of a tiny Llama, and a cache of its own."""
    pytest.importorskip("gguf", reason="the optional package gguf is not installed")
    monkeypatch.setattr(checkpoints, "HF_HOME", str(tmp_path / "cache"))
    import gguf

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        num_hidden_layers=2,
        hidden_size=32,
        intermediate_size=64,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        initializer_range=0.2,
        vocab_size=len(factory.tokenizer()),
    )
    state = transformers.LlamaForCausalLM(config).state_dict()
    file = tmp_path / "tiny.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(2)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    tokens = factory.tokenizer().get_vocab()
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(tokens, key=tokens.get))
    merges = json.loads(factory.tokenizer().backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(m) if isinstance(m, list) else m for m in merges])
    writer.add_bos_token_id(END)
    writer.add_eos_token_id(END)
    names = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    parts = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for i in range(2):
        names |= {
            f"model.layers.{i}.{ours}.weight": f"blk.{i}.{theirs}.weight"
            for ours, theirs in parts.items()
        }
    for ours, theirs in names.items():
        writer.add_tensor(theirs, state[ours].half().numpy())
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
    frame = sna.measure(first, factory.task())
    assert frame.p.between(0, 1).all()


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
