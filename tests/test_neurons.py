"""Activations and scores agree with plain transformers hooks."""

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
