"""Tiny models of random weights, saved as folders, for tests that need no trained model.

Each has the architecture of a real family, a byte-level BPE tokenizer trained on a few sentences,
and loads in well under a second. Their answers mean nothing; their algebra is exact.
"""

import contextlib
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
THREE = {
    "num_hidden_layers": 3,
    "hidden_size": 32,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.2,  # default weights are so small that edits drown in rounding
}
ALIKE = {"intermediate_size": 128, "num_attention_heads": 2}
GATED = {"intermediate_size": 80, "num_attention_heads": 4, "num_key_value_heads": 2} | THREE
GPT2 = {"n_layer": 3, "n_embd": 32, "n_head": 2, "n_positions": CONTEXT, "initializer_range": 0.2}
SLIDING = GATED | {"sliding_window": 2 * CONTEXT}
# A class of transformers, and what makes it tiny.
FAMILIES = {
    "gpt2": ("GPT2LMHeadModel", GPT2),
    # So many tokens that its logits take more memory than all the rest.
    "wordy": ("GPT2LMHeadModel", GPT2 | {"n_layer": 2, "vocab_size": 20_000}),
    "neox": ("GPTNeoXForCausalLM", THREE | ALIKE),
    "llama": ("LlamaForCausalLM", GATED),
    "mistral": ("MistralForCausalLM", SLIDING),
    # A norm follows its MLP, so its neurons do not simply add to the residual stream.
    "gemma2": ("Gemma2ForCausalLM", SLIDING | {"head_dim": 16, "query_pre_attn_scalar": 16}),
    "mixtral": ("MixtralForCausalLM", GATED | {"num_local_experts": 4}),
}
DENSE = ("gpt2", "neox", "llama")  # whose MLP's output is added to the residual stream as it is
HOME = tempfile.TemporaryDirectory(prefix="snahelpers-tests-")  # deleted when the tests end


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


def write(folder: Path, architecture: str, **config) -> Path:
    """A random model of a class of transformers, with its tokenizer, as save_pretrained does."""
    end = tokenizer().convert_tokens_to_ids(END)
    vocabulary = {"vocab_size": len(tokenizer()), "bos_token_id": end, "eos_token_id": end}
    kind = getattr(transformers, architecture)
    torch.manual_seed(0)
    kind(kind.config_class(**vocabulary | config)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@functools.cache
def folder(family: str) -> Path:
    """A saved model that tests share and leave as it is."""
    architecture, config = FAMILIES[family]
    return write(Path(HOME.name) / family, architecture, **config)


@functools.cache
def load(family: str, dtype: torch.dtype = torch.float32) -> TransformerBridge:
    """A loaded model that tests share."""
    return sna.load_model(folder(family), device="cpu", dtype=dtype)


@functools.cache
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


def where(model: TransformerBridge, tokens: torch.Tensor, positions: str, n: int = 1):
    """[batch, pos]: all but a beginning-of-sequence token in front, or the last n."""
    edited = torch.ones_like(tokens, dtype=torch.bool)
    edited[:, 0] = tokens[:, 0] != model.tokenizer.bos_token_id  # elsewhere it is text
    if positions == "last":
        edited = torch.zeros_like(edited)
        edited[:, -n:] = True
    return edited


@torch.no_grad()
def plain_logits(family: str, tokens: torch.Tensor, edits=(), where=None, dtype=torch.float64):
    """What plain transformers answers while plain torch hooks scale neurons.

    Args:
        edits: (layer, neurons, one factor or one a neuron).
        where: Bool [batch, pos].
    """
    reference = plain(family, dtype)

    def scale(neurons, factor):
        def hook(module, args):
            edited = args[0].clone()
            factors = torch.as_tensor(factor, dtype=dtype)
            edited[..., neurons] *= torch.where(where[..., None], factors, 1)
            return (edited,)

        return hook

    with contextlib.ExitStack() as hooked:
        for layer, neurons, factor in edits:
            output = neuron_outputs(reference, layer)
            hooked.enter_context(output.register_forward_pre_hook(scale(neurons, factor)))
        return reference(tokens).logits


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


def sweep(model: TransformerBridge, tasks: sna.Task | list[sna.Task], grid: sna.Grid, **options):
    """A sweep against `SENTENCES`, without a bar."""
    return sna.sweep(model, tasks, grid, **{"neutral": SENTENCES, "progress": False} | options)


@contextlib.contextmanager
def unchanged(model: TransformerBridge):
    """What is done inside leaves weights, hooks, modes and answers as they were."""

    def state():
        modules = [*model.modules(), *model.original_model.modules()]
        hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), m.training) for m in modules]
        gradients = [(p.requires_grad, p.grad is None) for p in model.parameters()]
        sites = [site.has_hooks() for site in model.hook_dict.values()]
        return hooks, gradients, sites, torch.is_grad_enabled()

    weights = {name: value.clone() for name, value in model.state_dict().items()}
    answer, before = model(PROMPTS[0]), state()
    yield
    assert state() == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert torch.equal(model(PROMPTS[0]), answer)
