"""Measured numbers agree with one-by-one evaluation in plain transformers."""

import math

import pytest
import torch

import factory
import snahelpers as sna
from snahelpers.measure import next_logits


def plain_logits(family, prompt):
    model = factory.load(family, torch.float64)
    with torch.no_grad():
        return factory.plain(family, torch.float64)(model.to_tokens(prompt)).logits[0]


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
    for row, target in zip(table.itertuples(), sna.target_ids(model, task), strict=True):
        p = plain_logits(family, row.prompt)[-1].softmax(-1)
        p_target = p[target].item()
        assert row.p == pytest.approx(p_target, rel=1e-5)
        assert row.logodds == pytest.approx(math.log(p_target / (1 - p_target)), rel=1e-5)
        assert row.rank == 1 + (p > p[target]).sum().item()
        assert row.top1 == model.to_string([p.argmax().item()])
        assert row.top1_p == pytest.approx(p.max().item(), rel=1e-5)
        assert row.entropy == pytest.approx(-(p * p.log()).sum().item(), rel=1e-5)


def test_float32_and_half_precision_are_close_to_float64():
    exact = sna.measure(factory.load("gpt2", torch.float64), factory.task())
    single = sna.measure(factory.load("gpt2"), factory.task())
    half = sna.measure(factory.load("gpt2", torch.bfloat16), factory.task())
    assert single.logodds.to_numpy() == pytest.approx(exact.logodds.to_numpy(), rel=1e-4)
    assert half.logodds.to_numpy() == pytest.approx(exact.logodds.to_numpy(), abs=0.3)


def fix_logits(model, logits):
    """A hook that replaces what the model says."""

    def hook(tensor, hook):
        return torch.as_tensor(logits, dtype=tensor.dtype).expand_as(tensor)

    return model.hooks([("unembed.hook_out", hook)])


def test_logodds_stay_exact_at_certainty_and_ties_share_the_better_rank():
    model = factory.load("gpt2")
    task = factory.task(prompts=["A dog"], targets=[" ran"])
    target = int(sna.target_ids(model, task))
    logits = torch.zeros(model.cfg.d_vocab)
    with fix_logits(model, logits):
        [row] = sna.measure(model, task).itertuples()
    assert row.rank == 1 and row.entropy == pytest.approx(math.log(len(logits)))
    logits[target] = 60.0
    with fix_logits(model, logits):
        [row] = sna.measure(model, task).itertuples()
    assert row.p == 1.0 and row.top1 == " ran"
    assert row.logodds == pytest.approx(60 - math.log(len(logits) - 1), rel=1e-5)
    logits[target] = -60.0
    with fix_logits(model, logits):
        [row] = sna.measure(model, task).itertuples()
    assert row.rank == len(logits)
    assert row.logodds == pytest.approx(-60 - math.log(len(logits) - 1), rel=1e-5)


def test_sees_the_amplified_model():
    model, task = factory.load("gpt2"), factory.task()
    base = sna.measure(model, task)
    with sna.amplify(model, sna.Amplification(1, range(30), 4.0)):
        amplified = sna.measure(model, task)
    assert (amplified.p != base.p).all()
    assert sna.measure(model, task).equals(base)


def test_a_task_without_examples_is_refused():
    with pytest.raises(sna.DataError, match="tiny has no examples"):
        sna.measure(factory.load("gpt2"), factory.task(prompts=[], targets=[]))


@pytest.mark.parametrize("prompt", ["", "The" + " cat" * 64])
def test_prompts_that_cannot_run_are_refused(prompt):
    task = factory.task(prompts=[prompt], targets=[" ran"])
    with pytest.raises(sna.DataError, match=r"is empty|tokens long"):
        sna.measure(factory.load("gpt2"), task)


def test_next_token_change_compares_the_same_tokens_before_and_after():
    model, edit = factory.load("gpt2"), sna.Amplification(1, range(30), 4.0)
    before = plain_logits("gpt2", "The cat")[-1].softmax(-1)
    unlikely = int(before.argmin())
    frame = sna.next_token_change(model, "The cat", edit, always=model.to_string([unlikely]), k=5)
    with sna.amplify(model, edit):
        after = next_logits(model, model.to_tokens("The cat"))[0].softmax(-1)
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


@pytest.mark.parametrize("family", factory.DENSE)
def test_perplexity_agrees_with_one_text_at_a_time(family):
    model = factory.load(family, torch.float64)
    losses = []
    for text in factory.SENTENCES:
        tokens = model.to_tokens(text)[0]
        logp = plain_logits(family, text).log_softmax(-1)
        losses += [-logp[i, tokens[i + 1]].item() for i in range(len(tokens) - 1)]
    expected = math.exp(sum(losses) / len(losses))
    assert sna.neutral_perplexity(model, factory.SENTENCES) == pytest.approx(expected, rel=1e-5)


def test_perplexity_needs_something_to_predict():
    with pytest.raises(sna.DataError, match="single token"):
        sna.neutral_perplexity(factory.load("neox"), ["The"])
    with pytest.raises(sna.DataError, match="at least one text"):
        sna.neutral_perplexity(factory.load("neox"), [])


@pytest.mark.parametrize(
    ("p", "expected"), [(0, 1), (0.0699, 1), (0.07, 2), (0.1, 2), (0.1001, 3), (1, 3)]
)
def test_zone(p, expected):
    assert sna.zone(p) == expected


def test_zone_edges_are_arguments():
    assert sna.zone(0.5, low=0.6, high=0.9) == 1


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_zone_of_no_probability(p):
    with pytest.raises(sna.SNAError, match="not a probability"):
        sna.zone(p)
