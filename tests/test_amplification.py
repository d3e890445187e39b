"""Amplifying does exactly what it says, in every way to run a model, and leaves no trace."""

import numpy as np
import pytest
import torch

import factory
import snahelpers as sna
from snahelpers.amplification import (
    added_to_residual,
    check_neuron_sites,
    neuron_site,
)

NEURONS = [3, 17, 40]
PROMPT = "The cat sat on the"


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", factory.DENSE)
@pytest.mark.parametrize("edits", [[(1, NEURONS, 2.5)], [(0, [5], 0.0), (2, [1, 7], 12.0)]])
def test_scales_what_a_plain_hook_scales(family, edits, positions):
    model = factory.load(family, torch.float64)
    tokens = model.to_tokens(PROMPT)
    where = factory.where(model, tokens, positions)
    expected = factory.plain_logits(family, tokens, edits, where)
    with sna.amplify(model, *(sna.Amplification(*edit, positions) for edit in edits)):
        actual = model(tokens)
    torch.testing.assert_close(actual, expected, **factory.tolerance(family))
    assert (actual - model(tokens)).abs().max() > 1e-3


@pytest.mark.parametrize("family", factory.DENSE)
def test_is_one_vector_added_to_the_residual_stream(family):
    model, layer, multiplier = factory.load(family, torch.float64), 1, 2.4
    tokens = model.to_tokens(PROMPT)
    _, clean = model.run_with_cache(tokens)
    with sna.amplify(model, sna.Amplification(layer, NEURONS, multiplier)):
        _, amplified = model.run_with_cache(tokens)
    post = clean[f"blocks.{layer}.mlp.hook_post"]
    fired, W_out = post[..., NEURONS], model.blocks[layer].mlp.W_out[NEURONS]
    added = (multiplier - 1) * fired @ W_out
    helped = added_to_residual(W_out, fired, torch.full((3,), multiplier, dtype=torch.float64))
    torch.testing.assert_close(helped, added, rtol=1e-9, atol=1e-9)
    if model.cfg.default_prepend_bos:
        added[:, 0] = 0
    name = f"blocks.{layer}.hook_resid_post"
    torch.testing.assert_close(amplified[name], clean[name] + added, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", factory.DENSE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_multiplier_one_is_the_identity_bit_for_bit(family, dtype):
    model = factory.load(family, dtype)
    clean = model(PROMPT)
    with sna.amplify(model, *(sna.Amplification(layer, range(20), 1.0) for layer in range(3))):
        assert torch.equal(model(PROMPT), clean)


def test_weights_and_answers_are_the_same_afterwards():
    model = factory.load("gpt2")
    clean = model(PROMPT)
    with factory.unchanged(model), sna.amplify(model, sna.Amplification(1, NEURONS, 12.0)):
        assert not torch.equal(model(PROMPT), clean)
        model.generate(PROMPT, max_new_tokens=3, do_sample=False, verbose=False)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_hooks_go_whatever_happens_inside_and_the_exception_stays(error):
    model = factory.load("gpt2")
    with (
        factory.unchanged(model),
        pytest.raises(error),
        sna.amplify(model, sna.Amplification(2, NEURONS, 2.0)),
    ):
        model(PROMPT, stop_at_layer=1)  # silent, but that must not hide the exception
        raise error


def test_blocks_nest_and_shared_neurons_compound():
    model = factory.load("gpt2", torch.float64)
    with sna.amplify(model, sna.Amplification(1, [3, 17], 6.0), sna.Amplification(1, [40], 2.0)):
        expected = model(PROMPT)
    with sna.amplify(model, sna.Amplification(1, NEURONS, 2.0)):
        outer = model(PROMPT)
        with sna.amplify(model, sna.Amplification(1, [3, 17], 3.0)):
            torch.testing.assert_close(model(PROMPT), expected, rtol=1e-9, atol=1e-9)
        assert torch.equal(model(PROMPT), outer)
    with sna.amplify(model, sna.Amplification(1, NEURONS, 2.0), sna.Amplification(1, [3, 17], 3.0)):
        torch.testing.assert_close(model(PROMPT), expected, rtol=1e-9, atol=1e-9)


def test_no_amplification_is_allowed():
    model = factory.load("gpt2")
    with sna.amplify(model) as same:
        assert same is model and torch.equal(model(PROMPT), model(PROMPT))


@pytest.mark.parametrize("positions", ["all", "last"])
def test_cache_shows_the_amplified_activation_and_an_earlier_cache_is_untouched(positions):
    model, name = factory.load("gpt2"), "blocks.1.mlp.hook_post"
    early = {}

    def keep(activation, hook):
        early["post"] = activation

    with (
        model.hooks([(name, keep)]),
        sna.amplify(model, sna.Amplification(1, NEURONS, 2.0, positions)),
    ):
        _, cache = model.run_with_cache(PROMPT)
    _, clean = model.run_with_cache(PROMPT)
    assert torch.equal(early["post"], clean[name])
    expected = clean[name].clone()
    first = 1 if positions == "all" else -1
    expected[:, first:, NEURONS] *= 2
    assert torch.equal(cache[name], expected)


@pytest.mark.parametrize("family", factory.DENSE)
@pytest.mark.parametrize("api", ["generate", "hf_generate"])
def test_generation_with_and_without_its_cache_is_greedy_decoding_by_hand(family, api):
    model = factory.load(family, torch.float64)
    edit = sna.Amplification(1, range(30), 3.0)
    tokens = model.to_tokens(PROMPT)
    start = tokens.shape[1]
    with sna.amplify(model, edit):
        for _ in range(5):
            following = model(tokens)[:, -1].argmax(-1, keepdim=True)
            tokens = torch.cat([tokens, following], dim=1)
        for cached in (True, False):
            options = {"use_past_kv_cache" if api == "generate" else "use_cache": cached}
            if api == "generate":
                options |= {"verbose": False, "stop_at_eos": False, "return_type": "tokens"}
            written = getattr(model, api)(
                tokens[:, :start], max_new_tokens=5, do_sample=False, **options
            )
            assert written.tolist()[0] == tokens.tolist()[0]


def test_a_padded_batch_is_generated_as_its_prompts_one_by_one():
    model = factory.load("gpt2", torch.float64)  # its padding token is its BOS token too
    prompts = ["The cat sat on the", "A dog"]
    options = {"max_new_tokens": 4, "do_sample": False, "verbose": False, "stop_at_eos": False}
    with sna.amplify(model, sna.Amplification(1, range(30), 3.0)):
        batch = model.generate(prompts, return_type="str", **options)
        alone = [model.generate(prompt, return_type="str", **options) for prompt in prompts]
    assert [text.replace(factory.END, "") for text in batch] == alone


def test_works_in_compatibility_mode():
    model = sna.load_model(factory.folder("gpt2"), dtype=torch.float64)
    edit = sna.Amplification(1, NEURONS, 3.0)
    with sna.amplify(model, edit):
        expected = model(PROMPT).log_softmax(-1)
    model.enable_compatibility_mode(disable_warnings=True)
    with sna.amplify(model, edit):  # there, a hook on the alias would scale by 9
        actual = model(PROMPT).log_softmax(-1)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_a_pass_that_is_not_amplified_raises_on_leaving():
    model = factory.load("gpt2")
    with (
        factory.unchanged(model),
        pytest.raises(sna.SilentEditError, match="layer 2 was not applied"),
        sna.amplify(model, sna.Amplification(0, [1], 2.0), sna.Amplification(2, [1], 2.0)),
    ):
        model(PROMPT, stop_at_layer=1)


def test_hooks_removed_inside_raise_on_leaving():
    model = factory.load("gpt2")
    with (
        pytest.raises(sna.SilentEditError, match="reset_hooks"),
        sna.amplify(model, sna.Amplification(1, [1], 2.0)),
    ):
        model(PROMPT)
        model.reset_hooks()
        model(PROMPT)


def test_no_pass_no_complaint():
    with sna.amplify(factory.load("gpt2"), sna.Amplification(1, [1], 2.0)):
        pass


def test_an_early_stop_is_fine_if_another_pass_was_amplified():
    model = factory.load("gpt2")
    with sna.amplify(model, sna.Amplification(2, [1], 2.0)):
        model(PROMPT)
        model(PROMPT, stop_at_layer=1)


def test_vectors_instead_of_tokens_need_the_last_position():
    model = factory.load("gpt2")
    vectors = model(PROMPT, stop_at_layer=0)
    with (
        pytest.raises(sna.SNAError, match="vectors instead of tokens"),
        sna.amplify(model, sna.Amplification(1, NEURONS, 2.0)),
    ):
        model(PROMPT)
        model(vectors, start_at_layer=0)
    with sna.amplify(model, sna.Amplification(1, NEURONS, 2.0, "last")):
        torch.testing.assert_close(model(vectors, start_at_layer=0), model(PROMPT))


@pytest.mark.parametrize(
    "neurons", [[3, 17], (3, 17), torch.tensor([3, 17]), np.array([3, 17]), [np.int64(3), 17]]
)
def test_neurons_come_in_any_kind_of_list(neurons):
    amplification = sna.Amplification(1, neurons, np.float32(2))
    assert amplification == sna.Amplification(1, [3, 17], 2.0)
    assert amplification.neurons == (3, 17) and type(amplification.multiplier) is float


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, [], 2.0), "at least one neuron"),
        ((1, [3, 4, 3], 2.0), r"\[3\] are named twice"),
        ((1, [1.5], 2.0), "list of whole numbers"),
        ((1, 3, 2.0), "neurons=3 violates .*Collection"),
        ((1, torch.tensor([[1, 2]]), 2.0), "list of whole numbers"),
        ((1, [3], float("nan")), "nan is not a finite number"),
        ((1, [3], float("inf")), "inf is not a finite number"),
        ((1, [3], -1.0), "-1.0 is not a finite number of at least 0"),
        ((1, [3], 2.0, "first"), "positions='first' violates .*'all', 'last'"),
    ],
)
def test_bad_amplifications_are_refused_at_once(arguments, message):
    with pytest.raises(sna.SNAError, match=message):
        sna.Amplification(*arguments)


@pytest.mark.parametrize(
    ("layer", "neuron", "message"),
    [(3, 0, "layer 3 .* 0 to 2"), (-1, 0, "layer -1"), (0, 128, "0 to 127"), (0, -1, r"\[-1\]")],
)
def test_out_of_range_for_this_model(layer, neuron, message):
    model = factory.load("gpt2")
    with (
        factory.unchanged(model),
        pytest.raises(sna.SNAError, match=message),
        sna.amplify(model, sna.Amplification(layer, [neuron], 2.0)),
    ):
        raise AssertionError("the block must not run")


def test_probe_refuses_edits_without_effect():
    model = sna.load_model(factory.folder("gpt2"))
    with torch.no_grad():
        model.original_model.transformer.h[1].mlp.c_proj.weight.zero_()
    with pytest.raises(sna.ModelError, match="layer 1 changes nothing"):
        check_neuron_sites(model)


def test_probe_refuses_a_model_without_a_site():
    model = sna.load_model(factory.folder("gpt2"))
    del model.blocks[2].mlp.out
    with pytest.raises(sna.ModelError, match=r"no neuron site .* layer 2"):
        check_neuron_sites(model)


def test_probe_refuses_a_site_of_another_width(monkeypatch):
    model = sna.load_model(factory.folder("gpt2"))
    monkeypatch.setattr(model.cfg, "d_mlp", 64)
    with pytest.raises(
        sna.ModelError, match=r"layer 0 gave the shapes .*128.*expected one of .*64"
    ):
        check_neuron_sites(model)


@pytest.mark.parametrize("layer", [1.0, True, "1"])
def test_what_is_no_layer(layer):
    with pytest.raises(sna.SNAError, match="0 to 2"):
        neuron_site(factory.load("gpt2"), layer)
