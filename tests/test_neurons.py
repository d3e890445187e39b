"""Scores agree with plain transformers hooks, and choices of neurons are what they say."""

import numpy as np
import pytest
import torch

import factory
import snahelpers as sna

TEXTS, NEUTRAL = factory.PROMPTS, factory.SENTENCES


def reference_activations(family, texts, positions):
    """Text by text with a plain hook: [text, layer, d_mlp]."""
    model, reference = factory.load(family, torch.float64), factory.plain(family, torch.float64)
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
    model = factory.load(family, torch.float64)
    actual = sna.activations(model, TEXTS, positions=positions)
    torch.testing.assert_close(actual, expected, **factory.tolerance(family))
    means = sna.mean_activations(model, TEXTS, positions=positions)
    torch.testing.assert_close(means, expected.mean(0), **factory.tolerance(family))


@pytest.mark.parametrize("family", factory.DENSE)
def test_difference_agrees_with_plain_hooks(family):
    expected = [reference_activations(family, texts, "all").mean(0) for texts in (TEXTS, NEUTRAL)]
    actual = sna.differential_activation(factory.load(family, torch.float64), TEXTS, NEUTRAL)
    torch.testing.assert_close(actual, expected[0] - expected[1], **factory.tolerance(family))


def test_scores_are_float32_on_the_cpu_for_a_half_precision_model():
    scores = sna.differential_activation(factory.load("gpt2", torch.bfloat16), TEXTS, NEUTRAL)
    assert (scores.dtype, scores.device.type) == (torch.float32, "cpu")
    full = sna.differential_activation(factory.load("gpt2"), TEXTS, NEUTRAL)
    assert (scores - full).norm() < 0.1 * full.norm()


def test_a_text_counts_once_however_long_it_is():
    model = factory.load("gpt2")
    both = sna.mean_activations(model, ["A dog", "The cat sat on the mat."])
    each = [sna.mean_activations(model, [text]) for text in ("A dog", "The cat sat on the mat.")]
    torch.testing.assert_close(both, (each[0] + each[1]) / 2)


def test_reading_leaves_no_hooks_behind():
    model = factory.load("gpt2")
    sna.mean_activations(model, TEXTS)
    assert not any(site.has_hooks() for site in model.hook_dict.values())


@pytest.mark.parametrize(
    ("texts", "neutral", "message"),
    [
        (TEXTS, [], "no neutral text"),
        ([], NEUTRAL, "at least one text"),
        ("one text", NEUTRAL, "list of at least one text"),
        (TEXTS, ["fine", ""], "empty"),
    ],
)
def test_missing_texts_are_refused(texts, neutral, message):
    with pytest.raises(sna.DataError, match=message):
        sna.differential_activation(factory.load("gpt2"), texts, neutral)


def test_unknown_positions_are_refused():
    with pytest.raises(sna.SNAError, match="'all' or 'last', not 'first'"):
        sna.mean_activations(factory.load("gpt2"), TEXTS, positions="first")


SCORES = torch.tensor([[0.0] * 6, [3.0, -1.0, 5.0, 3.0, -4.0, 0.5]])


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


def test_contrastive_neurons_are_the_two_tails():
    positive, negative = sna.contrastive_neurons(SCORES, layer=1, k=3)
    assert positive.tolist() == [2, 0, 3]
    assert negative.tolist() == [4, 1, 5]
    with pytest.raises(sna.SNAError, match=r"overlap.*at most 3"):
        sna.contrastive_neurons(SCORES, layer=1, k=4)


@pytest.mark.parametrize("k", [0, -1, 7, 2.0, True])
def test_k_out_of_range(k):
    with pytest.raises(sna.SNAError, match="1 to 6"):
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


def test_contexts_end_at_the_token_on_which_the_neuron_fires_hardest():
    model = factory.load("gpt2", torch.float64)
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
    with pytest.raises(sna.SNAError, match=r"neuron .* out of range"):
        sna.max_activating_contexts(factory.load("gpt2"), TEXTS, layer=0, neuron=neuron)
