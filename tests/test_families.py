"""Every family that loads can be swept and is right; every other is refused with a true reason.

Models are tiny and of random weights (`families`). `make test` tries one of each kind of block,
`make families` all of them, and writes what it finds to docs/families.md.
"""

import re
from importlib.metadata import version

import numpy as np
import pytest
import torch
from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES

import factory
import families
import snahelpers as sna
from families import FAMILIES, FIRST_OF_A_KIND, UNTRIED
from snahelpers import engines
from snahelpers.tasks import Batch

TASK = factory.task()
MULTIPLIER, NEURONS = 2.4, list(range(0, 40, 2))
GRID = sna.Grid(counts=(20, 3), multipliers=(MULTIPLIER, 0.0))


def swept(model, **options):
    return sna.sweep(model, TASK, GRID, neutral=factory.SENTENCES, per_example=True, **options)


@torch.no_grad()
def plain_p(name, model, layer=None):
    """P of the answers from plain transformers, neurons of `layer` amplified by a hook of our own.

    The hook changes what goes into the matrix that the neurons' output is multiplied by.
    """
    reference, found = families.plain(name), []
    for example in TASK.examples:
        tokens = model.to_tokens(example.prompt)
        [answer] = model.tokenizer(example.target, add_special_tokens=False).input_ids
        edited = tokens[0] != model.tokenizer.bos_token_id

        def amplify(module, args, edited=edited):
            scaled = (
                args[0].reshape(len(edited), -1).clone()
            )  # OPT's has no dimension for the batch
            scaled[edited.nonzero(), torch.tensor(NEURONS)] *= MULTIPLIER
            return (scaled.reshape(args[0].shape), *args[1:])

        if layer is not None:
            module = reference.get_submodule(FAMILIES[name].outputs.format(layer))
            handle = module.register_forward_pre_hook(amplify)
        found.append(float(reference(tokens, use_cache=False).logits[0, -1].softmax(-1)[answer]))
        if layer is not None:
            handle.remove()
    return found


def check_family(name, record_property, capsys):
    family = FAMILIES[name]
    record_property("family", name)
    if family.refused:
        with pytest.raises(sna.ModelError, match=family.refused) as refusal:
            sna.load_model(families.folder(name), device="cpu")
        record_property("remark", str(refusal.value).replace(str(families.folder(name)), name))
        return
    model = sna.load_model(families.folder(name), device="cpu")

    base = sna.measure(model, TASK).p
    np.testing.assert_allclose(base, plain_p(name, model), rtol=1e-4)
    for layer in range(model.cfg.n_layers):
        with sna.amplify(model, sna.Amplification(layer, NEURONS, MULTIPLIER)):
            amplified = sna.measure(model, TASK).p
        np.testing.assert_allclose(amplified, plain_p(name, model, layer), rtol=1e-4)
        assert (amplified / base - 1).abs().max() > 1e-3

    capsys.readouterr()
    auto = swept(model)
    line = re.search(r"^sweep: engine '(\w+)'(.*)$", capsys.readouterr().out, flags=re.MULTILINE)
    by_hooks = swept(model, engine="hooks", progress=False)
    np.testing.assert_allclose(auto.p_post, by_hooks.p_post, rtol=1e-4)
    assert by_hooks.delta_logodds.abs().max() > 1e-2
    for method in ("attribution", "steering", "norm_matched"):
        outcome = swept(model, method=method, progress=False)
        assert np.isfinite(outcome.p_post).all() and (outcome.p_post != outcome.p_base).any()
    record_property("engine", line[1])
    record_property("remark", line[2].partition("): ")[2])
    record_property("deviation", float((auto.p_post / by_hooks.p_post - 1).abs().max()))


@pytest.mark.parametrize("name", FIRST_OF_A_KIND)
def test_one_of_each_kind_of_block(name, record_property, capsys):
    check_family(name, record_property, capsys)


@pytest.mark.families
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in FIRST_OF_A_KIND])
def test_every_other_family(name, record_property, capsys):
    check_family(name, record_property, capsys)


@pytest.mark.skipif(not version("transformer-lens").startswith("4.3."), reason="lists others")
def test_every_architecture_is_tried_or_named():
    tried = {family.architecture for family in FAMILIES.values()}
    untried = [name for names in UNTRIED.values() for name in names]
    assert len(set(untried)) == len(untried) and not tried & set(untried)
    assert tried | set(untried) == set(SUPPORTED_ARCHITECTURES)


def test_what_differs_from_head_to_head_is_not_taken_for_rows():
    model = sna.load_model(families.folder("MPT"), device="cpu")
    assert model.cfg.n_heads == 4  # as many as rows: ALiBi's slopes look like a batch
    tokens = model.to_tokens(factory.SENTENCES[0]).repeat(4, 1)
    batch = Batch(torch.arange(4), tokens, tokens[:, :1])
    clean = engines.CleanPass(model, batch, "all").of(torch.arange(3).expand(3, -1))
    factors = torch.tensor([[2.4, 2.4, 1.0], [0.0, 1.0, 1.0]])
    fast, plain = (engine(model, clean, 0, factors) for engine in (engines.resume, engines.hooks))
    torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "failing, engine", [(["resume"], "batched"), (["resume", "batched"], "hooks")]
)
def test_engines_that_fail_are_named_with_the_reason(monkeypatch, capsys, failing, engine):
    def refuse(*_):
        raise TypeError("an argument is missing")

    model = factory.load("gpt2")
    by_hooks = swept(model, engine="hooks", progress=False)
    monkeypatch.setattr(model, "kept", {}, raising=False)  # what the weights have shown
    for name in failing:
        monkeypatch.setitem(engines.ENGINES, name, refuse)
    auto, said = swept(model), capsys.readouterr().out
    assert f"engine '{engine}'" in said
    for name in failing:
        why = "it stopped with TypeError, an argument is missing"
        assert f"('{name}' is not exact for gpt2, layer 0): {why}" in said
    np.testing.assert_allclose(auto.p_post, by_hooks.p_post, rtol=1e-4)
