"""Tiny models of random weights, saved as folders, for tests that need no trained model.

Each has the architecture of a real family, a byte-level BPE tokenizer trained on a few sentences,
and loads in well under a second. Their answers mean nothing; their algebra is exact.
"""

import functools
import tempfile
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformer_lens.model_bridge import TransformerBridge

import snahelpers as sna

END = "<|endoftext|>"
CONTEXT = 64
SENTENCES = [
    "The cat sat on the mat.",
    "A dog ran over the hill.",
    "Rain fell on the quiet town.",
    "Two plus two is four.",
    "Roses are red and violets are blue.",
    "The river runs to the sea.",
]
PROMPTS = [
    "The cat sat on the",
    "Two plus two is",
    "A dog",
    "Rain fell on the",
    "The river runs to",
]
TARGETS = [" mat", " four", " ran", " quiet", " the"]
WIDE = {"initializer_range": 0.2}  # default weights are so small that edits drown in rounding
GATED = {
    "num_hidden_layers": 3,
    "hidden_size": 32,
    "intermediate_size": 80,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    **WIDE,
}


@functools.cache
def tokenizer() -> transformers.PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer that knows every word of `SENTENCES` as one token."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        SENTENCES * 3,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=[END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=END, eos_token=END, pad_token=END
    )


def gpt2():
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            n_layer=3, n_embd=32, n_head=2, n_positions=CONTEXT, **WIDE, **_vocabulary()
        )
    )


def wordy():
    """GPT-2 with so many tokens that its logits take more memory than all the rest."""
    vocabulary = _vocabulary() | {"vocab_size": 20_000}
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(n_layer=2, n_embd=32, n_head=2, n_positions=CONTEXT, **vocabulary)
    )


def neox():
    return transformers.GPTNeoXForCausalLM(
        transformers.GPTNeoXConfig(
            num_hidden_layers=3,
            hidden_size=32,
            intermediate_size=128,
            num_attention_heads=2,
            max_position_embeddings=CONTEXT,
            **WIDE,
            **_vocabulary(),
        )
    )


def llama():
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**GATED, **_vocabulary()))


def mistral():
    return transformers.MistralForCausalLM(
        transformers.MistralConfig(
            sliding_window=2 * CONTEXT,
            **GATED,
            **_vocabulary(),
        )
    )


def gemma2():
    """A norm follows its MLP, so its neurons do not simply add to the residual stream."""
    return transformers.Gemma2ForCausalLM(
        transformers.Gemma2Config(
            head_dim=16,
            query_pre_attn_scalar=16,
            sliding_window=2 * CONTEXT,
            **GATED,
            **_vocabulary(),
        )
    )


def mixtral():
    return transformers.MixtralForCausalLM(
        transformers.MixtralConfig(
            num_hidden_layers=2,
            hidden_size=32,
            intermediate_size=32,
            num_attention_heads=2,
            num_key_value_heads=2,
            num_local_experts=4,
            max_position_embeddings=CONTEXT,
            **_vocabulary(),
        )
    )


DENSE = ("gpt2", "neox", "llama")  # whose MLP's output is added to the residual stream as it is
FAMILIES = {
    family.__name__: family for family in (gpt2, wordy, neox, llama, mistral, gemma2, mixtral)
}


def save(family: str, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write a random model of `family` with its tokenizer to `folder`, as save_pretrained does."""
    torch.manual_seed(0)
    FAMILIES[family]().to(dtype).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@functools.cache
def folder(family: str) -> Path:
    """A saved model that tests share and leave as it is; it is deleted when the tests end."""
    place = tempfile.TemporaryDirectory(prefix="snahelpers-tests-")
    _KEPT.append(place)
    return save(family, Path(place.name) / family)


@functools.cache
def load(family: str, dtype: torch.dtype = torch.float32) -> TransformerBridge:
    """A loaded model that tests share."""
    return sna.load_model(folder(family), device="cpu", dtype=dtype)


def plain(family: str, dtype: torch.dtype = torch.float32) -> transformers.PreTrainedModel:
    """The same model as plain transformers loads it: the reference that owes us nothing."""
    return transformers.AutoModelForCausalLM.from_pretrained(
        folder(family), dtype=dtype, attn_implementation="eager"
    ).eval()


def neuron_outputs(reference: transformers.PreTrainedModel, layer: int) -> torch.nn.Module:
    """The matrix whose input is the neurons' activations, in a plain transformers model."""
    paths = {
        "gpt2": "transformer.h.{}.mlp.c_proj",
        "gpt_neox": "gpt_neox.layers.{}.mlp.dense_4h_to_h",
        "llama": "model.layers.{}.mlp.down_proj",
        "mistral": "model.layers.{}.mlp.down_proj",
        "gemma2": "model.layers.{}.mlp.down_proj",
    }
    return reference.get_submodule(paths[reference.config.model_type].format(layer))


def tolerance(family: str) -> dict[str, float]:
    """How close to plain transformers in float64: rotary positions are kept in float32 there."""
    return dict(rtol=1e-9, atol=1e-9) if family == "gpt2" else dict(rtol=1e-5, atol=1e-6)


def perplexity(model: TransformerBridge, texts=SENTENCES) -> float:
    """exp of the mean loss a token, in nats, text by text."""
    losses = []
    for text in texts:
        tokens = model.to_tokens(text)[0]
        logp = model(text)[0, :-1].log_softmax(-1)
        losses.append(-logp.gather(-1, tokens[1:, None]))
    return float(torch.cat(losses).mean().exp())


def task(name: str = "tiny", prompts=PROMPTS, targets=TARGETS) -> sna.Task:
    """A task whose prompts have several lengths; the splits alternate."""
    examples = [
        sna.Example(prompt, target, ("select", "test")[i % 2])
        for i, (prompt, target) in enumerate(zip(prompts, targets, strict=True))
    ]
    return sna.Task(name, "words", "easy", tuple(examples))


_KEPT: list[tempfile.TemporaryDirectory] = []


def _vocabulary() -> dict[str, int]:
    end = tokenizer().convert_tokens_to_ids(END)
    return {"vocab_size": len(tokenizer()), "bos_token_id": end, "eos_token_id": end}
