"""Choices and rivals do what they say, learn from `select` alone, and leave the model alone."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from tqdm import tqdm

import factory
import snahelpers as sna
from snahelpers import methods
from snahelpers.engines import ENGINES
from snahelpers.methods import (
    COLDEST,
    HOTTEST,
    METHODS,
    Readings,
    amplified,
    fit_temperature,
    learn_factors,
)
from snahelpers.neurons import NEAREST, attributions
from snahelpers.sweeps import Sweeper
from snahelpers.tasks import text_batches

DOUBLE, SINGLE = torch.float64, torch.float32
PROMPTS, NEUTRAL, TASK = factory.PROMPTS, factory.SENTENCES, factory.task()
SELECT = TASK.split("select")
# Neither in order, nothing done and muting included.
GRID = sna.Grid(layers=[1], counts=(20, 3), multipliers=(2.4, 1.0, 0.0))
LABELS = ["model", "task", "domain", "difficulty", "split", "layer", "n_neurons", "multiplier"]
RIVALS = [name for name, method in METHODS.items() if method.fit is not amplified]
CHOICES = [name for name in METHODS if name not in RIVALS]
ALL = [*factory.DENSE, "gemma2"]  # the last cannot resume, and goes another way


def swept(model, tasks=TASK, grid=GRID, **options):
    return factory.sweep(model, tasks, grid, **options)


@pytest.fixture
def fitted(monkeypatch):
    """What a rival fits to each configuration at layer 1, and the neurons of that layer.

    These are factors, vectors or temperatures: what it hands over to be run is not run.
    """

    @torch.no_grad()
    def fitted(model, method, positions="all"):
        sweeper = Sweeper(Readings(model, NEUTRAL, positions), TASK, GRID)
        prepared = sweeper._prepare(sweeper.jobs[0], method, 0, tqdm(disable=True))
        answer = METHODS[method].fit(prepared, 1)
        clean = prepared.clean_pass(next(text_batches(model, PROMPTS)))
        with monkeypatch.context() as patch:
            patch.setattr(prepared, "scaled", lambda clean, layer, factors: factors)
            patch.setattr(methods, "resume_from", lambda *given: given[-1][:, 0, -1])
            patch.setattr(methods, "run_copies", last_vectors)
            found = answer(clean, slice(None))
        if method == "temperature":
            found = clean.logits.norm() / found.flatten(1).norm(dim=1)
        return dict(zip(GRID.configurations(), found, strict=True)), prepared.neurons[1]

    def last_vectors(model, clean, n, site, edit):
        return edit(0, None).unflatten(0, (n, -1))[:, 0, -1]

    return fitted


def where(model, tokens, positions):
    """[1, pos, 1], 1 where a prompt is edited."""
    return factory.where(model, tokens, positions)[..., None].double()


def p_with(model, site, edit, positions):
    """P of every target when a plain hook edits the site: edit(activation, mask)."""
    found = []
    for example in TASK.examples:
        tokens, target = model.to_tokens(example.prompt), model.to_tokens(example.target)[0, -1]
        mask = where(model, tokens, positions)
        hook = (site, lambda value, hook, mask=mask: edit(value, mask))
        logits = model.run_with_hooks(tokens, fwd_hooks=[hook])
        found.append(float(logits[0, -1].softmax(-1)[target]))
    return found


def p_scaled(model, neurons, factors, positions):
    """P of every target when a plain hook scales these neurons of layer 1."""
    scale = torch.ones(model.cfg.d_mlp, dtype=DOUBLE)
    scale[neurons] = factors
    site = model.blocks[1].mlp.out.hook_in.name
    return p_with(model, site, lambda value, mask: value * (1 + mask * (scale - 1)), positions)


def p_post(frame, count, multiplier):
    rows = frame[(frame.n_neurons == count) & (frame.multiplier == multiplier)]
    return rows.sort_values("example").p_post.tolist()


# Choices


MADE = [name for name in CHOICES if name != "attribution"]  # which needs a model


def choose(method, k=12, seed=0):
    """From two layers of 512, whose task means are heavy-tailed and of both signs."""
    generator = torch.Generator().manual_seed(1)
    task, neutral = torch.randn(2, 2, 512, generator=generator).mul(2).sinh()
    norms = torch.rand(2, 512, generator=generator).mul(3).exp()
    readings = object.__new__(Readings)
    blocks = [SimpleNamespace(mlp=SimpleNamespace(W_out=row[:, None])) for row in norms]
    cfg = SimpleNamespace(n_layers=2, d_mlp=512, dtype=SINGLE)
    readings.model, readings.neutral = SimpleNamespace(cfg=cfg, blocks=blocks), ()
    readings.of = lambda read, texts: task if texts else neutral
    return METHODS[method].choose(readings, TASK, k, seed), task - neutral, task.abs() * norms


@pytest.mark.parametrize(("method", "sign"), [("differential", 1), ("negative", -1)])
def test_chosen_by_score(method, sign):
    chosen, differences, _ = choose(method)
    assert torch.equal(chosen, (sign * differences).topk(12).indices)


@pytest.mark.parametrize("method", ["differential", "negative", "random"])
def test_a_smaller_choice_is_the_beginning_of_a_larger_one(method):
    assert torch.equal(choose(method, k=5)[0], choose(method, k=12)[0][:, :5])


def test_matched_are_matched_to_the_differential_choice_by_what_they_write():
    highest, _, sizes = choose("differential")
    place = sizes.argsort().argsort()  # in the order of size
    for layer, chosen in enumerate(choose("matched")[0]):
        gaps = (place[layer, chosen] - place[layer, highest[layer]]).abs()
        # Those nearest, once the choice and earlier draws are out of the way.
        assert gaps.min() > 0 and gaps.max() <= NEAREST + 2 * len(chosen)
        assert not set(chosen.tolist()) & set(highest[layer].tolist())


@pytest.mark.parametrize("method", ["random", "matched"])
def test_draws_follow_the_seed_and_differ_between_layers(method):
    (one, *_), (same, *_), (other, *_) = (choose(method, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize("method", MADE)
def test_every_choice_is_of_k_different_neurons_a_layer(method):
    chosen = choose(method, k=25)[0]
    assert chosen.shape == (2, 25) and chosen.dtype == torch.long
    assert all(len(set(row.tolist())) == 25 for row in chosen)


@pytest.mark.parametrize("method", MADE)
@pytest.mark.parametrize("k", [0, 513])
def test_choices_of_no_neuron_or_too_many_are_refused(method, k):
    with pytest.raises(sna.SNAError, match="out of range"):
        choose(method, k=k)


def test_attribution_looks_at_the_answers_of_select_and_the_sweep_goes_by_it():
    model = factory.load("gpt2", DOUBLE)
    scores = attributions(model, SELECT)
    with sna.amplify(model, sna.Amplification(1, sna.top_neurons(scores, 1, 3), 2.4)):
        expected = sna.measure(model, TASK).p
    frame = swept(model, method="attribution", per_example=True)
    assert set(frame.method) == {"attribution"}
    np.testing.assert_allclose(p_post(frame, 3, 2.4), expected, rtol=1e-9)


# Every rival


@pytest.mark.parametrize("method", RIVALS)
def test_a_rivals_frame_is_a_sweeps_but_for_its_name(method, fitted):
    model = factory.load("gpt2", DOUBLE)
    for per_example in (False, True):
        rival, plain = (
            swept(model, method=name, per_example=per_example) for name in (method, "differential")
        )
        assert list(rival) == list(plain) and set(rival.method) == {method}
        pd.testing.assert_frame_equal(rival[LABELS], plain[LABELS])
        for name in ("p_base", "rank_base", "entropy_base"):
            assert rival[name].equals(plain[name])
        assert np.isfinite(rival.delta_logodds).all()
        changed = rival.multiplier != 1
        same = changed & (rival.p_post == plain.p_post)
        alike = rival[same][["n_neurons", "multiplier"]].drop_duplicates()
        for count, multiplier in alike.itertuples(index=False):
            # Learning may end at its limit for every neuron: there it is the amplification itself.
            assert (fitted(model, method)[0][count, multiplier][:count] == multiplier).all()
        np.testing.assert_allclose(rival.p_post[~changed], rival.p_base[~changed], rtol=1e-6)


WAYS = [("method", name) for name in (*RIVALS, "attribution")] + [("engine", e) for e in ENGINES]


@pytest.mark.parametrize(("option", "value"), WAYS)
def test_the_model_is_as_it_was(option, value):
    with factory.unchanged(model := sna.load_model(factory.folder("gpt2"), device="cpu")):
        swept(model, **{option: value})


@pytest.mark.parametrize("method", [*RIVALS, "differential"])
@pytest.mark.parametrize("look", ["select", "test"])
def test_what_is_chosen_or_fitted_is_so_on_select_alone(method, look):
    changed = list(TASK.examples)
    place = 0 if look == "test" else 1  # an example of the other split
    assert changed[place].split != look
    changed[place] = sna.Example("Roses are red and", " blue", changed[place].split)
    other = sna.Task(TASK.name, TASK.domain, TASK.difficulty, tuple(changed))
    model = factory.load("gpt2", DOUBLE)
    frames = [swept(model, task, method=method, split=look) for task in (TASK, other)]
    same = np.allclose(frames[0].p_post, frames[1].p_post, rtol=1e-9, atol=0)
    assert same == (look == "select")


@pytest.mark.parametrize("method", RIVALS)
def test_memory_and_batches_change_nothing(method):
    model = factory.load("gpt2", DOUBLE)
    little, much = (swept(model, method=method, memory_gb=gb) for gb in (1e-9, 1.0))
    np.testing.assert_allclose(little.p_post, much.p_post, rtol=1e-6)


@pytest.mark.parametrize("method", RIVALS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_runs(method, dtype):
    frame = swept(factory.load("gpt2", dtype), method=method)
    assert np.isfinite(frame.delta_logodds).all() and (frame.p_post > 0).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("method", [*RIVALS, "attribution"])
@pytest.mark.parametrize("family", ["gpt2", "gemma2"])
def test_a_gpu_gives_what_the_cpu_gives(family, method):
    gpu = sna.load_model(factory.folder(family), device="cuda", dtype=DOUBLE)
    frames = [swept(model, method=method) for model in (gpu, factory.load(family, DOUBLE))]
    np.testing.assert_allclose(frames[0].p_post, frames[1].p_post, rtol=1e-5)


# Temperature


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", ALL)
def test_a_temperature_makes_select_as_confident_as_the_amplification(family, positions, fitted):
    model = factory.load(family, DOUBLE)
    temperatures, neurons = fitted(model, "temperature", positions)
    frame = swept(model, method="temperature", positions=positions, per_example=True)
    for (count, multiplier), temperature in temperatures.items():
        edit = sna.Amplification(1, neurons[:count], multiplier, positions)
        with sna.amplify(model, edit):
            wanted = np.log(sna.measure(model, SELECT).top1_p).mean()
        logits = [model(example.prompt)[0, -1] / temperature for example in TASK.examples]
        reached = [
            float(row.log_softmax(-1).max())
            for row, example in zip(logits, TASK.examples, strict=True)
            if example.split == "select"
        ]
        assert np.mean(reached) == pytest.approx(wanted, abs=1e-8)
        targets = [model.to_tokens(example.target)[0, -1] for example in TASK.examples]
        expected = [float(z.softmax(-1)[t]) for z, t in zip(logits, targets, strict=True)]
        np.testing.assert_allclose(p_post(frame, count, multiplier), expected, rtol=1e-8)
    assert float(temperatures[20, 1.0]) == pytest.approx(1, abs=1e-8)
    assert abs(float(temperatures[20, 2.4]) - 1) > 1e-3


@pytest.mark.parametrize("dtype", [DOUBLE, SINGLE])
def test_a_temperature_leaves_ranks(dtype):
    frame = swept(factory.load("gpt2", dtype), method="temperature", per_example=True)
    assert frame.rank_post.equals(frame.rank_base)
    assert not np.allclose(frame.entropy_post, frame.entropy_base)


def test_temperatures_by_hand_and_at_the_ends():
    logits = torch.tensor([[math.log(3), 0.0]], dtype=DOUBLE)  # P = 3/4; at T = 1/2: 9/10
    assert fit_temperature(logits, math.log(0.75)) == pytest.approx(1)
    assert fit_temperature(logits, math.log(0.9)) == pytest.approx(0.5)
    assert fit_temperature(logits, 0.0) == pytest.approx(COLDEST)
    assert fit_temperature(logits, -5.0) == pytest.approx(HOTTEST)


# Steering


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", ALL)
def test_steering_adds_the_mean_difference_as_long_as_amplifying_does(family, positions, fitted):
    model = factory.load(family, DOUBLE)
    site = "blocks.1.hook_resid_post"

    def resid(prompt):
        """[pos, d_model] after the layer, and where the prompt is edited [pos, 1]."""
        tokens = model.to_tokens(prompt)
        _, cache = model.run_with_cache(tokens)
        return cache[site][0], where(model, tokens, positions)[0]

    def mean(prompts):
        values = [(value * mask).sum(0) / mask.sum() for value, mask in map(resid, prompts)]
        return torch.stack(values).mean(0)

    direction = mean(SELECT.prompts) - mean(NEUTRAL)
    vectors, neurons = fitted(model, "steering", positions)
    frame = swept(model, method="steering", positions=positions, per_example=True)
    for (count, multiplier), vector in vectors.items():
        lengths = []
        for prompt in SELECT.prompts:
            before, mask = resid(prompt)
            with sna.amplify(model, sna.Amplification(1, neurons[:count], multiplier, positions)):
                after, _ = resid(prompt)
            norms = (after - before).norm(dim=-1, keepdim=True)
            assert (norms[mask == 0] == 0).all()
            lengths.append(float(norms.sum() / mask.sum()))
        assert float(vector.norm()) == pytest.approx(np.mean(lengths), rel=1e-8, abs=1e-12)
        expected = np.sign(multiplier - 1) * np.mean(lengths) * direction / direction.norm()
        torch.testing.assert_close(vector, expected, rtol=1e-7, atol=1e-9)
        steered = p_with(model, site, lambda value, mask, v=vector: value + mask * v, positions)
        np.testing.assert_allclose(p_post(frame, count, multiplier), steered, rtol=1e-8)
    assert vectors[20, 2.4].norm() > vectors[3, 2.4].norm() > 0.01


def test_there_is_no_direction_from_a_text_to_itself():
    message = r"steering vector of tiny at layer 1 is 0.0 long.*other neutral text"
    with pytest.raises(sna.DataError, match=message):
        swept(factory.load("gpt2"), method="steering", neutral=SELECT.prompts)


# Matched neurons, as strong a push


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", factory.DENSE)
def test_norm_matched_neurons_add_vectors_as_long(family, positions, fitted):
    model = factory.load(family, DOUBLE)
    factors, neurons = fitted(model, "norm_matched", positions)
    frame = swept(model, method="norm_matched", positions=positions, per_example=True)
    scores = sna.differential_activation(model, SELECT.prompts, NEUTRAL, positions=positions)
    chosen, drawn = neurons.chunk(2)
    assert torch.equal(chosen, sna.top_neurons(scores, 1, 20))
    assert not set(chosen.tolist()) & set(drawn.tolist())
    site = model.blocks[1].mlp.out.hook_in.name
    for (count, multiplier), row in factors.items():
        assert (row[:20] == 1).all() and (row[20 + count :] == 1).all()
        scale = torch.ones(model.cfg.d_mlp, dtype=DOUBLE)
        scale[neurons] = row
        lengths = [[], []]
        for prompt in SELECT.prompts:
            tokens = model.to_tokens(prompt)
            mask = where(model, tokens, positions)
            _, cache = model.run_with_cache(tokens)
            fired, W_out = cache[site] * mask, model.blocks[1].mlp.W_out
            plain = (multiplier - 1) * fired[..., chosen[:count]] @ W_out[chosen[:count]]
            for found, added in zip(lengths, (plain, fired * (scale - 1) @ W_out), strict=True):
                found.append(float(added.norm(dim=-1).sum() / mask.sum()))
        assert np.mean(lengths[1]) == pytest.approx(np.mean(lengths[0]), rel=1e-8, abs=1e-12)
        scaled = p_scaled(model, neurons, row, positions)
        np.testing.assert_allclose(p_post(frame, count, multiplier), scaled, rtol=1e-8)


def test_another_seed_draws_others_of_about_the_same_size():
    model = factory.load("gpt2", DOUBLE)
    frames = [swept(model, method="norm_matched", seed=seed) for seed in (0, 0, 1)]
    assert frames[0].equals(frames[1])
    assert not np.allclose(frames[0].p_post, frames[2].p_post)


# Learned scaling


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", ALL)
def test_learned_factors_scale_their_neurons_within_reach(family, positions, fitted):
    model = factory.load(family, DOUBLE)
    factors, neurons = fitted(model, "learned_scaling", positions)
    frame = swept(model, method="learned_scaling", positions=positions, per_example=True)
    for (count, multiplier), row in factors.items():
        assert (row[count:] == 1).all()
        assert ((row - 1).abs() <= abs(multiplier - 1) + 1e-12).all()
        scaled = p_scaled(model, neurons, row, positions)
        np.testing.assert_allclose(p_post(frame, count, multiplier), scaled, rtol=1e-8)
    assert {-1, 1} <= set((factors[20, 2.4] - 1).sign().tolist())  # not one factor for all


@pytest.mark.parametrize("family", ALL)
def test_learning_never_lowers_what_it_learns_from_and_beats_one_factor_for_all(family):
    model, grid = factory.load(family, DOUBLE), sna.Grid(counts=(3, 20), multipliers=(1.2, 3, 0))
    learned, plain = (
        swept(model, grid=grid, split="select", method=method).delta_logodds
        for method in ("learned_scaling", "differential")
    )
    assert (learned >= -1e-12).all()
    assert (learned > plain).mean() > 0.9 and learned.mean() > plain.mean() + 0.1


def learned(logodds, reach):
    """Of two tokens, the first having these log-odds of the factors."""

    def answer(factors):
        first = logodds(factors)
        return torch.stack([first, torch.zeros_like(first)], dim=-1)[:, None, None]

    return learn_factors([(torch.tensor([[0]]), answer)], reach)


def test_learning_finds_the_best_factors_of_each_configuration():
    best = torch.tensor([1.3, 0.4, 1.0])
    reach = torch.tensor([[0.5, 0.5, 0.5], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    factors = learned(lambda factors: -((factors - best) ** 2).sum(-1), reach)
    expected = torch.tensor([[1.3, 0.5, 1.0], [1.3, 0.4, 1.0], [1.0, 1.0, 1.0]])
    torch.testing.assert_close(factors, expected, rtol=0, atol=0.1)


def test_where_any_change_is_for_the_worse_factors_stay_one():
    factors = learned(lambda factors: -(factors - 1).abs().sum(-1), torch.full((2, 3), 0.5))
    assert torch.equal(factors, torch.ones(2, 3))


def test_what_was_read_is_read_again_once_weights_or_hooks_change():
    model = sna.load_model(str(factory.folder("gpt2")))
    first = Readings(model, NEUTRAL, "all").of(sna.mean_activations, tuple(NEUTRAL))
    assert Readings(model, NEUTRAL, "all").of(sna.mean_activations, tuple(NEUTRAL)) is first
    with sna.amplify(model, sna.Amplification(0, [1, 2], 3.0)):
        louder = Readings(model, NEUTRAL, "all").of(sna.mean_activations, tuple(NEUTRAL))
    assert not torch.equal(louder, first)
    assert Readings(model, NEUTRAL, "all").of(sna.mean_activations, tuple(NEUTRAL)) is first
    sna.amplification.output_weights(model, 0)[:] *= 2
    assert not torch.equal(
        Readings(model, NEUTRAL, "all").of(sna.mean_activations, tuple(NEUTRAL)), first
    )
