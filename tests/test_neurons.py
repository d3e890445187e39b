"""Activations and scores agree with plain transformers hooks; choices by them are what they say."""

import numpy as np
import pytest
import torch

import factory
import snahelpers as sna
from snahelpers.lab.bench import direct_logits
from snahelpers.neurons import NEAREST, attributions

DOUBLE = torch.float64
TEXTS, NEUTRAL, TASK = factory.PROMPTS, factory.SENTENCES, factory.task()
SCORES = torch.tensor([[0.0] * 6, [3.0, -1.0, 5.0, 3.0, -4.0, 0.5]])


def reference_activations(family, texts, positions):
    """Text by text with a plain hook: [text, layer, d_mlp]."""
    model, reference = factory.load(family, DOUBLE), factory.plain(family, DOUBLE)
    rows = []
    for text in texts:
        tokens = model.to_tokens(text)
        first = int(tokens[0, 0] == model.tokenizer.bos_token_id)
        seen = []
        handles = [
            factory.neuron_outputs(reference, layer).register_forward_pre_hook(
                lambda module, args, seen=seen: seen.append(args[0][0])
            )
            for layer in range(3)
        ]
        with torch.no_grad():
            reference(tokens)
        for handle in handles:
            handle.remove()
        activation = torch.stack(seen)
        rows.append(activation[:, -1] if positions == "last" else activation[:, first:].mean(1))
    return torch.stack(rows)


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", factory.DENSE)
def test_activations_agree_with_plain_hooks(family, positions):
    expected = reference_activations(family, TEXTS, positions)
    model = factory.load(family, DOUBLE)
    actual = sna.activations(model, TEXTS, positions=positions)
    torch.testing.assert_close(actual, expected, **factory.tolerance(family))
    means = sna.mean_activations(model, TEXTS, positions=positions)
    torch.testing.assert_close(means, expected.mean(0), **factory.tolerance(family))
    scores = sna.differential_activation(model, TEXTS[:3], TEXTS[3:], positions=positions)
    differences = expected[:3].mean(0) - expected[3:].mean(0)
    torch.testing.assert_close(scores, differences, **factory.tolerance(family))


def test_scores_are_float32_on_the_cpu_for_a_half_precision_model():
    scores = sna.differential_activation(factory.load("gpt2", torch.bfloat16), TEXTS, NEUTRAL)
    assert (scores.dtype, scores.device.type) == (torch.float32, "cpu")
    full = sna.differential_activation(factory.load("gpt2"), TEXTS, NEUTRAL)
    assert (scores - full).norm() < 0.1 * full.norm()


def test_no_neutral_text_is_refused():
    with pytest.raises(sna.DataError, match="no neutral text"):
        sna.differential_activation(factory.load("gpt2"), TEXTS, [])


def test_unknown_positions_are_refused():
    model, said = factory.load("gpt2"), r"positions='first' violates .*'all', 'last'"
    with pytest.raises(sna.SNAError, match=said):
        sna.mean_activations(model, TEXTS, positions="first")
    with pytest.raises(sna.SNAError, match=said):
        attributions(model, TASK, positions="first")


def test_contexts_end_at_the_token_on_which_the_neuron_fires_hardest():
    model = factory.load("gpt2", DOUBLE)
    table = sna.max_activating_contexts(model, TEXTS, layer=1, neuron=3, k=2)
    assert len(table) == 2 and table.activation.is_monotonic_decreasing
    for row in table.itertuples():
        text = row.context.replace("«", "").removesuffix("»")
        [whole] = [one for one in TEXTS if one.startswith(text)]
        tokens = model.to_tokens(whole)
        _, cache = model.run_with_cache(tokens)
        fired = cache["blocks.1.mlp.hook_post"][0, 1:, 3]
        assert fired.max() == pytest.approx(row.activation)
        assert model.to_string(tokens[0, 1 : int(fired.argmax()) + 2]) == text


@pytest.mark.parametrize("neuron", [-1, 10_000, 1.5])
def test_a_neuron_out_of_range_has_no_contexts(neuron):
    with pytest.raises(sna.SNAError, match=r"neuron .* out of range|class .int"):
        sna.max_activating_contexts(factory.load("gpt2"), TEXTS, layer=0, neuron=neuron)


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", [*factory.DENSE, "gemma2"])
def test_attribution_is_the_slope_of_amplifying(family, positions):
    model = factory.load(family, DOUBLE)
    # RMSNorm is computed in float32 whatever the model's precision, and drowns a small step.
    h, rel = (1e-4, 1e-5) if family in ("gpt2", "neox") else (0.02, 0.01)
    scores = attributions(model, TASK, positions=positions)
    assert scores.shape == (3, model.cfg.d_mlp) and scores.dtype == DOUBLE
    for layer, neuron in [(0, 3), (1, 7), (1, int(scores[1].argmax())), (2, 40)]:
        sides = []
        for multiplier in (1 + h, 1 - h):
            with sna.amplify(model, sna.Amplification(layer, [neuron], multiplier, positions)):
                sides.append(sna.measure(model, TASK).logodds.mean())
        slope = (sides[0] - sides[1]) / (2 * h)
        assert float(scores[layer, neuron]) == pytest.approx(slope, rel=rel, abs=rel * 1e-2)
    assert scores.abs().max() > 1e-2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_attribution_in_half_precision(dtype):
    half, single = (attributions(factory.load("gpt2", d), TASK) for d in (dtype, torch.float32))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, single, rtol=0.1, atol=0.1 * float(single.abs().max()))


@pytest.mark.parametrize("family", factory.DENSE)
def test_direct_logits_are_what_a_push_does_that_leaves_the_final_norm_as_it_is(family):
    model = sna.load_model(factory.folder(family), device="cpu", dtype=DOUBLE)
    random, step = torch.Generator().manual_seed(0), 0.01
    model.ln_final.weight.uniform_(0.5, 2, generator=random)
    vector, resid = torch.randn(2, 1, 1, model.cfg.d_model, generator=random, dtype=DOUBLE)
    push = vector
    if model.cfg.normalization_type == "LN":
        resid, push = resid - resid.mean(), vector - vector.mean()
    resid = resid - push * (push * resid).sum() / push.square().sum()  # now orthogonal to it
    ahead, back = (model.unembed(model.ln_final(resid + s * push)) for s in (step, -step))
    slope = (ahead - back)[0] / (2 * step) * resid.square().mean().sqrt()
    actual = direct_logits(model, vector[0])
    torch.testing.assert_close(actual, slope.float(), rtol=1e-3, atol=1e-3)


def test_output_norms_are_lengths_in_at_least_float32():
    model = factory.load("gpt2", torch.bfloat16)
    norms = sna.output_norms(model)
    assert norms.dtype == torch.float32 and norms.shape == (3, model.cfg.d_mlp)
    weights = factory.plain("gpt2").transformer.h[2].mlp.c_proj.weight
    torch.testing.assert_close(norms[2], weights.norm(dim=-1).detach(), rtol=0.02, atol=0)


# Choosing by a score, and by chance


def test_top_neurons_are_sorted_and_ties_go_to_the_lower_index():
    assert sna.top_neurons(SCORES, layer=1, k=4).tolist() == [2, 0, 3, 5]
    assert sna.top_neurons(SCORES, layer=0, k=3).tolist() == [0, 1, 2]
    assert sna.top_neurons(SCORES, layer=np.int64(1), k=np.int64(1)).dtype == torch.long


def test_require_positive_skips_neurons_that_are_only_less_negative():
    means = torch.tensor([[0.0] * 6, [-0.1, 0.2, 0.3, 0.4, -0.5, 0.6]])
    options = {"require_positive": True, "task_means": means}
    assert sna.top_neurons(SCORES, 1, 3, **options).tolist() == [2, 3, 5]
    with pytest.raises(sna.SNAError, match="Only 4 neurons"):
        sna.top_neurons(SCORES, 1, 5, **options)
    with pytest.raises(sna.SNAError, match="needs task_means"):
        sna.top_neurons(SCORES, 1, 3, require_positive=True)


def test_less_negative_flags_them():
    means = torch.tensor([[0.0] * 6, [-0.1, -0.2, 0.3, 0.4, -0.5, -0.6]])
    chosen = torch.tensor([0, 1, 2, 5])
    assert sna.less_negative(means, SCORES, 1, chosen).tolist() == [True, False, False, True]


@pytest.mark.parametrize("k", [0, -1, 7, 2.0, True])
def test_k_out_of_range(k):
    with pytest.raises(sna.SNAError, match=r"1 to 6|class .int"):
        sna.top_neurons(SCORES, 1, k)


@pytest.mark.parametrize("layer", [-1, 2])
def test_layer_out_of_range(layer):
    with pytest.raises(sna.SNAError, match="0 to 1"):
        sna.top_neurons(SCORES, layer, 1)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(sna.SNAError, match="not all finite"):
        sna.top_neurons(SCORES.log(), 1, 1)


def test_random_neurons_are_distinct_seeded_and_not_excluded():
    draw = sna.random_neurons(20, 15, seed=1, exclude=[3, 4])
    assert len(set(draw.tolist()) - {3, 4}) == 15 and max(draw) < 20
    assert torch.equal(draw, sna.random_neurons(20, 15, seed=1, exclude=torch.tensor([3, 4])))
    assert not torch.equal(draw, sna.random_neurons(20, 15, seed=2, exclude=[3, 4]))
    with pytest.raises(sna.SNAError, match="1 to 18"):
        sna.random_neurons(20, 19, seed=1, exclude=[3, 4])


def test_loudest_layer_has_the_largest_mean_of_its_top_k():
    scores = torch.tensor([[9.0, 0.0, 0.0], [5.0, 5.0, 0.0], [4.0, 4.0, 4.0]])
    assert [sna.loudest_layer(scores, k) for k in (1, 2, 3)] == [0, 1, 2]
    with pytest.raises(sna.SNAError, match="number of neurons 4"):
        sna.loudest_layer(scores, 4)


def heavy_tailed(n=512):
    """Sizes as neurons have them: a few are a hundred times as loud as most."""
    return torch.exp(2 * torch.randn(n, generator=torch.Generator().manual_seed(0)))


# Every other one of the loud, without the very loudest, which have no equals to be drawn.
LOUD = heavy_tailed().sort(descending=True).indices[30:80:2]


@pytest.mark.parametrize("seed", range(5))
def test_matched_neurons_are_others_as_loud_as_the_choice_and_random_ones_are_not(seed):
    sizes = heavy_tailed()
    matched = sna.matched_neurons(LOUD, sizes, seed)
    random = sna.random_neurons(len(sizes), len(LOUD), seed, exclude=LOUD)
    assert len(set(matched.tolist()) - set(LOUD.tolist())) == len(LOUD) == len(matched)
    assert sizes[matched].mean() / sizes[LOUD].mean() == pytest.approx(1, abs=0.2)
    typical, matched, random = (sizes[chosen].median() for chosen in (LOUD, matched, random))
    assert matched / typical == pytest.approx(1, abs=0.2) and random / typical < 0.5


def test_a_matched_neuron_is_any_of_the_nearest_in_size():
    sizes = torch.arange(100.0)
    drawn = {int(sna.matched_neurons(torch.tensor([50]), sizes, seed)) for seed in range(200)}
    assert drawn == set(range(45, 56)) - {50} and len(drawn) == NEAREST


def test_all_others_can_be_drawn_and_no_more():
    sizes = torch.arange(8.0)
    assert sorted(sna.matched_neurons(torch.arange(4), sizes, 0).tolist()) == [4, 5, 6, 7]
    for too_many in (torch.arange(5), torch.arange(0)):
        with pytest.raises(sna.SNAError, match=r"to match \d is out of range: expected 1 to 4"):
            sna.matched_neurons(too_many, sizes, 0)
