"""Measured numbers agree with one-by-one evaluation in plain transformers."""

import math

import pytest
import torch

import factory
import snahelpers as sna
from snahelpers.scoring import log_odds, read_logits, repetition, score, token_losses, write


def plain_logits(family, prompt):
    return factory.plain_logits(family, factory.load(family).to_tokens(prompt))[0]


@pytest.mark.parametrize("family", factory.DENSE)
def test_agrees_with_one_prompt_at_a_time_in_plain_transformers(family):
    model, task = factory.load(family, torch.float64), factory.task()
    table = sna.measure(model, task)
    assert list(table.columns) == [
        *("task", "split", "prompt", "target", "p", "logodds", "rank", "top1", "top1_p", "entropy")
    ]
    assert table.prompt.tolist() == task.prompts
    assert table.target.tolist() == factory.TARGETS
    assert set(table.task) == {"tiny"} and table.split.tolist()[:2] == ["select", "test"]
    for row in table.itertuples():
        [target] = model.to_tokens(row.target, prepend_bos=False)[0]
        p = plain_logits(family, row.prompt)[-1].softmax(-1)
        p_target = p[target].item()
        assert row.p == pytest.approx(p_target, rel=1e-5)
        assert row.logodds == pytest.approx(math.log(p_target / (1 - p_target)), rel=1e-5)
        assert row.rank == 1 + (p > p[target]).sum().item()
        assert row.top1 == model.to_string([p.argmax().item()])
        assert row.top1_p == pytest.approx(p.max().item(), rel=1e-5)
        assert row.entropy == pytest.approx(-(p * p.log()).sum().item(), rel=1e-5)


def fix_logits(model, logits):
    """A hook that replaces what the model says."""

    def hook(tensor, hook):
        return torch.as_tensor(logits, dtype=tensor.dtype).expand_as(tensor)

    return model.hooks([("unembed.hook_out", hook)])


@pytest.mark.parametrize(("logit", "rank"), [(0.0, 1), (60.0, 1), (-60.0, "last")])
def test_logodds_stay_exact_at_certainty_and_ties_share_the_better_rank(logit, rank):
    model, task = factory.load("gpt2"), factory.task(prompts=["A dog"], targets=[" ran"])
    logits = torch.zeros(model.cfg.d_vocab)
    logits[model.to_single_token(" ran")] = logit
    with fix_logits(model, logits):
        [row] = sna.measure(model, task).itertuples()
    assert row.logodds == pytest.approx(logit - math.log(len(logits) - 1), rel=1e-5)
    assert row.rank == (len(logits) if rank == "last" else rank)
    if logit == 0:
        assert row.entropy == pytest.approx(math.log(len(logits)))
    if logit > 0:
        assert row.p == 1.0 and row.top1 == " ran"


def test_a_task_without_examples_is_refused():
    with pytest.raises(sna.DataError, match="tiny has no examples"):
        sna.measure(factory.load("gpt2"), factory.task(prompts=[], targets=[]))


def test_next_token_change_compares_the_same_tokens_before_and_after():
    model, edit = factory.load("gpt2"), sna.Amplification(1, range(30), 4.0)
    before = plain_logits("gpt2", "The cat")[-1].softmax(-1)
    unlikely = int(before.argmin())
    frame = sna.next_token_change(model, "The cat", edit, always=model.to_string([unlikely]), k=5)
    with sna.amplify(model, edit):
        after = model("The cat")[0, -1].softmax(-1)
    assert frame.before.tolist() == pytest.approx(before[frame.id].tolist(), rel=1e-4)
    assert frame.after.tolist() == pytest.approx(after[frame.id].tolist(), rel=1e-4)
    assert frame.before.is_monotonic_decreasing
    assert {int(before.argmax()), int(after.argmax()), unlikely} <= set(frame.id)
    likely = model.to_string([int(before.argmax())])  # listed anyhow: no row is lost or left over
    same = sna.next_token_change(model, "The cat", edit, always=likely, k=5)
    assert len(frame) == len(same) == 5
    assert same.equals(sna.next_token_change(model, "The cat", edit, k=5))
    with pytest.raises(sna.SNAError, match="number of tokens 0"):
        sna.next_token_change(model, "The cat", edit, k=0)


def test_any_number_of_configurations_is_scored_as_one():
    logits = torch.randn(3, 4, 1, 50, generator=torch.Generator().manual_seed(0))
    answers = torch.tensor([[0], [7], [7], [49]])
    numbers = score(logits, answers)
    for i in range(3):
        for name, values in score(logits[i], answers).items():
            assert torch.equal(numbers[name][i], values)
    p = numbers["p"].double()
    torch.testing.assert_close(numbers["logodds"].double(), (p / (1 - p)).log())
    torch.testing.assert_close(log_odds(logits, answers), numbers["logodds"])


def test_logits_are_those_of_the_last_positions_and_keep_no_other():
    model = factory.load("gpt2")
    tokens = model.to_tokens("The cat sat on the")
    expected = model(tokens)
    for n_read in (1, 3):
        read = read_logits(model, tokens, n_read)
        assert torch.equal(read, expected[:, -n_read:])
        assert read.untyped_storage().nbytes() == read.nbytes


@pytest.mark.parametrize("family", factory.DENSE)
def test_losses_agree_with_plain_transformers(family):
    text = factory.SENTENCES[0]
    tokens = factory.load(family, torch.float64).to_tokens(text)
    logp = plain_logits(family, text).log_softmax(-1)
    expected = -logp[:-1].gather(-1, tokens[0, 1:, None]).squeeze(-1)
    losses = token_losses(factory.load(family, torch.float64), tokens)
    torch.testing.assert_close(losses[0], expected, **factory.tolerance(family))


def test_what_is_written_is_greedy_decoding_and_judged_by_the_clean_model():
    model, push = factory.load("gpt2"), sna.Amplification(1, range(30), 4.0)
    frame = write(model, factory.PROMPTS, push, lengths=[2, 6])
    assert frame.prompt.tolist() == [p for p in factory.PROMPTS for _ in range(2)]
    tokens = model.to_tokens(factory.PROMPTS[0])
    start = tokens.shape[1]
    with sna.amplify(model, push):
        for _ in range(6):
            tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], dim=1)
    short, long = frame.iloc[0], frame.iloc[1]
    assert long.text == model.to_string(tokens[0, start:]) and long.text.startswith(short.text)
    logp = model(tokens).log_softmax(-1)[0, start - 1 : -1]
    losses = -logp.gather(-1, tokens[0, start:, None])
    assert long.perplexity == pytest.approx(float(losses.mean().exp()), rel=1e-4)
    assert short.perplexity == pytest.approx(float(losses[:2].mean().exp()), rel=1e-4)
    assert long.repetition == repetition(tokens[0, start:].tolist())


def test_repetition_runs_from_none_to_a_loop():
    assert repetition([1, 2, 3, 4, 5]) == repetition([1, 2]) == 0
    assert repetition([7] * 102) == pytest.approx(0.99)


def test_a_text_that_does_not_fit_is_refused():
    with pytest.raises(sna.SNAError, match="new tokens 64"):
        write(factory.load("gpt2"), ["A dog"], lengths=[3, 64])
