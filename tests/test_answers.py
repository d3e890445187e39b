"""Answers of one token and of several, with any tokenizer, against plain transformers."""

import pandas as pd
import pytest
import tokenizers
import torch
import transformers

import factory
import snahelpers as sna
from snahelpers.scoring import log_odds, log_p, read_logits, score
from snahelpers.tasks import answer_batches, answer_tokens, text_batches

LONG = ["The cat sat on the", "Two plus two is", "A dog", "Rain fell on the"]
ANSWERS = [" mat", " four. A dog", " ran over", " quiet town. The cat"]
FAMILIES = ["gpt2", "neox", "llama", "mistral", "gemma2"]
PUSH = (1, [3, 7, 11], 3.0)


def task(prompts=LONG, targets=ANSWERS):
    return factory.task("long", prompts, targets)


def reference(family, example, positions):
    """Log P of the answer in plain transformers, amplified by a hook; and its worst rank."""
    model = factory.load(family)
    start, answer = answer_tokens(model, example.prompt, example.target)
    tokens, n = torch.cat([start, answer])[None, :-1], len(answer)
    where = factory.where(model, tokens, positions, n)
    logits = factory.plain_logits(family, tokens, [PUSH], where, torch.float32)[0, -n:]
    logp = logits.double().log_softmax(dim=-1)
    each = logp.gather(-1, answer[:, None])
    return float(each.sum()), int((logp > each).sum(dim=-1).max()) + 1


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_the_product_of_its_tokens(family, positions):
    model, asked = factory.load(family), task()
    assert {b.answers.shape[1] for b in answer_batches(model, asked.examples)} >= {1, 2}
    with sna.amplify(model, sna.Amplification(*PUSH, positions)):
        frame = sna.measure(model, asked)
    for example, row in zip(asked.examples, frame.itertuples(), strict=True):
        logp, rank = reference(family, example, positions)
        p = torch.tensor(logp, dtype=torch.float64).exp()
        assert row.p == pytest.approx(float(p), rel=1e-4)
        assert row.logodds == pytest.approx(float(logp - torch.log1p(-p)), abs=1e-4)
        assert row.rank == rank


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("engine", ["auto", "batched"])
@pytest.mark.parametrize("family", FAMILIES)
def test_engines_agree_on_answers_of_several_tokens(family, engine, positions):
    model, grid = factory.load(family), sna.Grid([0, 1], counts=(3, 8), multipliers=(0.5, 3.0))
    options = dict(positions=positions, per_example=True)
    plain, fast = (
        factory.sweep(model, task(), grid, engine=name, **options) for name in ("hooks", engine)
    )
    pd.testing.assert_frame_equal(plain, fast, rtol=1e-3, atol=1e-5)
    one = plain[(plain.n_neurons == 8) & (plain.multiplier == 3) & (plain.layer == 1)]
    assert (one.p_base != one.p_post).all()


@pytest.mark.parametrize("method", list(sna.methods.METHODS))
def test_every_method_takes_answers_of_several_tokens(method):
    grid = sna.Grid([1], counts=(3,), multipliers=(2.0,))
    frame = factory.sweep(factory.load("llama"), task(), grid, method=method)
    assert len(frame) == 2 and frame.p_post.between(0, 1).all()


def test_log_odds_of_several_tokens_are_exact_where_p_is_nearly_one():
    logits = torch.zeros(1, 3, 10, dtype=torch.float64)
    logits[0, range(3), [4, 5, 6]] = 40.0
    answers = torch.tensor([[4, 5, 6]])
    missed = 3 * 9 * torch.tensor(-40.0, dtype=torch.float64).exp()  # 1 - p, to first order
    assert log_odds(logits, answers).item() == pytest.approx(-missed.log().item(), abs=1e-9)
    assert score(logits, answers)["rank"].item() == 1
    assert log_p(logits, answers).item() == pytest.approx(-missed.item(), rel=1e-6)


def test_greedy_decoding_writes_the_answer_exactly_where_its_rank_is_one():
    model = factory.load("gpt2")
    [batch] = text_batches(model, ["A dog"])
    options = dict(do_sample=False, stop_at_eos=False, return_type="tokens", verbose=False)
    written = model.generate(batch.tokens, max_new_tokens=3, **options)
    logits = read_logits(model, written[:, :-1], 3)
    answer, other = written[:, -3:], written[:, -3:].clone()
    other[0, 2] = (other[0, 2] + 1) % model.cfg.d_vocab
    assert score(logits, answer)["rank"].item() == 1 < score(logits, other)["rank"].item()


# Tokens in context


def sentencepiece(dummy_prefix):
    """A tokenizer of SentencePiece's kind: "▁" for blanks, and perhaps one in front of all."""
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    replace = [tokenizers.normalizers.Replace(" ", "▁")]
    prepend = [tokenizers.normalizers.Prepend("▁")] if dummy_prefix else []
    bpe.normalizer = tokenizers.normalizers.Sequence([*prepend, *replace])
    strip = [tokenizers.decoders.Strip(" ", 1, 0)] if dummy_prefix else []
    bpe.decoder = tokenizers.decoders.Sequence(
        [tokenizers.decoders.Replace("▁", " "), tokenizers.decoders.Fuse(), *strip]
    )
    texts = [*factory.SENTENCES, "() 2+2=4 well-known 1733"] * 3
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<unk>", "<s>"], show_progress=False
    )
    bpe.train_from_iterator([text.replace(" ", " ▁").split(" ") for text in texts], trainer)
    bpe.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="<s>", unk_token="<unk>"
    )


@pytest.fixture(scope="module", params=[True, False], ids=["dummy prefix", "none"])
def pieces(request, tmp_path_factory):
    """A small Llama with such a tokenizer."""
    folder, tokenizer = tmp_path_factory.mktemp("pieces"), sentencepiece(request.param)
    tokens = dict(vocab_size=len(tokenizer), bos_token_id=1, eos_token_id=1)
    longer = {"max_position_embeddings": 2 * factory.CONTEXT}
    config = transformers.LlamaConfig(**factory.GATED | tokens | longer)
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sna.load_model(folder, device="cpu"), folder


@pytest.mark.parametrize(
    ("prompt", "target"), [("The cat sat on the", " mat"), ("(", "The cat"), ("A dog", " ran over")]
)
def test_tokens_are_those_in_context(pieces, prompt, target):
    model, folder = pieces
    start, answer = answer_tokens(model, prompt, target)
    whole = transformers.AutoTokenizer.from_pretrained(folder)(prompt + target).input_ids
    assert start.tolist() + answer.tolist() == whole and len(answer)
    frame = sna.measure(model, task([prompt] * 2, [target, " the"]).split("select"))
    plain = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        logp = plain(torch.tensor([whole])).logits[0].log_softmax(dim=-1)
    each = [logp[i - 1, whole[i]] for i in range(len(start), len(whole))]
    assert frame.p[0] == pytest.approx(float(sum(each).exp()), rel=1e-4)


def test_the_twelve_tasks_can_be_asked_of_a_tokenizer_of_that_kind(pieces):
    model, _ = pieces
    for asked in sna.load_tasks().values():
        assert len(list(answer_batches(model, asked.examples)))


@pytest.mark.parametrize(
    ("prompt", "target"), [("2+2=", "4"), ("well-", "known"), ("the year 17", "33"), ("水", "火")]
)
def test_an_answer_needs_no_blank_in_front(prompt, target):
    model = factory.load("gpt2")
    start, answer = answer_tokens(model, prompt, target)
    assert model.to_string(answer) == target
    assert model.to_string(start[1:]) == prompt


def test_a_boundary_inside_a_token_is_refused_with_what_to_write():
    model = factory.load("gpt2")
    with pytest.raises(sna.DataError, match="Write 'The cat sat on the' as the prompt and ' mat'"):
        answer_tokens(model, "The cat sat on the ", "mat")


def test_every_example_that_cannot_be_asked_is_named_at_once():
    asked = task(["The cat sat on the ", "A dog", "Two plus two is "], ["mat", " ran", "four"])
    with pytest.raises(sna.DataError) as caught:
        sna.measure(factory.load("gpt2"), asked)
    told = str(caught.value)
    assert told.startswith("2 of 3 examples") and "' mat'" in told and "' four'" in told


def test_a_prompt_that_begins_with_the_beginning_token_is_not_given_a_second_one():
    model = factory.load("gpt2")
    with_own, without = (
        answer_tokens(model, start + "The cat", " sat")[0] for start in (factory.END, "")
    )
    assert with_own.tolist() == without.tolist()


def test_the_end_of_text_inside_a_prompt_is_a_token_like_others():
    model = factory.load("gpt2")
    prompt = f"The cat{factory.END}A dog"
    tokens = answer_tokens(model, prompt, " ran")[0][None]
    where = sna.amplification.chosen_positions(model, tokens, "all")[0].tolist()
    assert where == [False] + [True] * (tokens.shape[1] - 1)
    example = sna.Example(prompt, " ran", "test")
    with sna.amplify(model, sna.Amplification(*PUSH)):
        frame = sna.measure(model, sna.Task("one", "", "", (example,)))
    assert frame.logodds[0] == pytest.approx(reference("gpt2", example, "all")[0], abs=0.1)
    logp, _ = reference("gpt2", example, "all")
    assert frame.p[0] == pytest.approx(float(torch.tensor(logp).exp()), rel=1e-4)


# Numbers that are none


def test_an_overflow_names_layer_and_multiplier():
    model = factory.load("gpt2", torch.float16)
    grid = sna.Grid([1], counts=(8,), multipliers=(2.0, 1e30))
    with pytest.raises(sna.SNAError, match=r"8 neurons of layer 1 × 1e\+30"):
        factory.sweep(model, task(), grid)
    with (
        pytest.raises(sna.SNAError, match=r"overflow torch\.float16"),
        sna.amplify(model, sna.Amplification(1, [3], 1e30)),
    ):
        sna.measure(model, task())


# Gated MLPs have no sign


def test_what_has_no_sign_is_unchanged_when_signs_are_flipped():
    model, flipped = factory.load("llama"), sna.load_model(factory.folder("llama"), device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for block in flipped.blocks:
            down = block.mlp.out.original_component.weight  # [d_model, d_mlp]
            up = getattr(block.mlp, "in").original_component.weight  # [d_mlp, d_model]
            signs = torch.randint(0, 2, (up.shape[0],), generator=generator) * 2.0 - 1
            up *= signs[:, None]
            down *= signs
    asked = task()
    assert sna.measure(model, asked).p.tolist() == pytest.approx(
        sna.measure(flipped, asked).p.tolist(), rel=1e-5
    )
    grid = sna.Grid([0, 1], counts=(3, 8), multipliers=(3.0,))

    def swept(model, method):
        return factory.sweep(model, asked, grid, method=method).p_post.to_numpy()

    for method in ("absolute", "attribution", "random"):
        assert swept(model, method) == pytest.approx(swept(flipped, method), rel=1e-3)
    # The paper's choice takes an arbitrary half, and what is matched to it follows.
    for method in ("differential", "steering"):
        assert swept(model, method) != pytest.approx(swept(flipped, method), rel=1e-3)
