"""Rivals do what they say, learn from `select` alone, and leave the model as it was."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import factory
import snahelpers as sna
from snahelpers.controls.learning import learn_factors
from snahelpers.controls.rivals import COLDEST, HOTTEST, RIVALS, fit_temperature
from snahelpers.controls.significance import flip_signs
from snahelpers.sweep import CONFIGURATION, Readings
from snahelpers.sweep.runner import Job, Runner

DOUBLE, SINGLE = torch.float64, torch.float32
PROMPTS, NEUTRAL, TASK = factory.PROMPTS, factory.SENTENCES, factory.task()
SELECT = TASK.split("select")
# Neither in order, nothing done and muting included.
GRID = sna.Grid(layers=[1], counts=(20, 3), multipliers=(2.4, 1.0, 0.0))
SMALL = sna.Grid(layers=[1], counts=(3,), multipliers=(2.4,))
LABELS = ["model", "task", "domain", "difficulty", "split", "layer", "n_neurons", "multiplier"]
ALL = [*factory.DENSE, "gemma2"]  # the last cannot resume, and goes another way


def swept(model, tasks=TASK, grid=GRID, **options):
    options = {"neutral": NEUTRAL, "progress": False} | options
    sweep = sna.rival_sweep if options.get("method") in RIVALS else sna.sweep
    return sweep(model, tasks, grid, **options)


def fitted(model, method, positions="all", layer=1):
    """What a rival fits to each configuration, and the neurons that it is set against."""
    job = Job(model, TASK, ["test"])
    runner = RIVALS[method](
        Readings(model, NEUTRAL, positions), [job], GRID.configurations(),
        method=method, seed=0, engine="auto", memory_gb=1.0,
    )  # fmt: skip
    with torch.no_grad():
        runner._prepare()
        found = runner._fit(job, layer)
    return dict(zip(GRID.configurations(), found, strict=True)), runner.neurons[job][layer]


def where(model, tokens, positions):
    """[1, pos, 1], 1 where a prompt is edited."""
    mask = (tokens != model.tokenizer.bos_token_id)[..., None].double()
    if positions == "last":
        mask[:, :-1] = 0
    return mask


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


def p_post(frame, count, multiplier):
    rows = frame[(frame.n_neurons == count) & (frame.multiplier == multiplier)]
    return rows.sort_values("example").p_post.tolist()


# Attribution


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", ALL)
def test_attribution_is_the_slope_of_amplifying(family, positions):
    model = factory.load(family, DOUBLE)
    # RMSNorm is computed in float32 whatever the model's precision, and drowns a small step.
    h, rel = (1e-4, 1e-5) if family in ("gpt2", "neox") else (0.02, 0.01)
    scores = sna.attributions(model, TASK, positions=positions)
    assert scores.shape == (3, model.cfg.d_mlp) and scores.dtype == DOUBLE
    for layer, neuron in [(0, 3), (1, 7), (1, int(scores[1].argmax())), (2, 40)]:
        sides = []
        for multiplier in (1 + h, 1 - h):
            with sna.amplify(model, sna.Amplification(layer, [neuron], multiplier, positions)):
                sides.append(sna.measure(model, TASK).logodds.mean())
        slope = (sides[0] - sides[1]) / (2 * h)
        assert float(scores[layer, neuron]) == pytest.approx(slope, rel=rel, abs=rel * 1e-2)
    assert scores.abs().max() > 1e-2


def test_attribution_looks_at_the_answers_of_select_and_the_sweep_goes_by_it():
    model = factory.load("gpt2", DOUBLE)
    scores = sna.attributions(model, SELECT)
    with sna.amplify(model, sna.Amplification(1, sna.top_neurons(scores, 1, 3), 2.4)):
        expected = sna.measure(model, TASK).p
    frame = swept(model, method="attribution", per_example=True)
    assert set(frame.method) == {"attribution"}
    np.testing.assert_allclose(p_post(frame, 3, 2.4), expected, rtol=1e-9)


def test_amplifying_a_little_gains_most_by_attribution():
    model, grid = factory.load("gpt2", DOUBLE), sna.Grid(counts=[10], multipliers=[1.01])
    gains = {
        method: swept(model, grid=grid, split="select", method=method).delta_logodds
        for method in ("attribution", "differential", "negative", "random", "matched")
    }
    for method in list(gains)[1:]:
        assert (gains["attribution"] > gains[method]).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_attribution_in_half_precision(dtype):
    half, single = (sna.attributions(factory.load("gpt2", d), TASK) for d in (dtype, SINGLE))
    assert half.dtype == SINGLE
    torch.testing.assert_close(half, single, rtol=0.1, atol=0.1 * float(single.abs().max()))


def test_attribution_refuses_what_it_cannot_use():
    model = factory.load("gpt2")
    with pytest.raises(sna.SNAError, match="'all' or 'last', not 'first'"):
        sna.attributions(model, TASK, positions="first")
    two = factory.task("t", PROMPTS[:1], [" cat sat"])
    with pytest.raises(sna.DataError, match="' cat sat' is 2 tokens"):
        sna.attributions(model, two)


# Every rival


@pytest.mark.parametrize("method", RIVALS)
def test_a_rivals_frame_is_a_sweeps_but_for_its_name(method):
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
        for layer, count, multiplier in set(rival[same][CONFIGURATION].itertuples(index=False)):
            # Learning may end at its limit for every neuron: there it is the amplification itself.
            found, _ = fitted(model, method, layer=layer)
            assert (found[count, multiplier][:count] == multiplier).all()
        np.testing.assert_allclose(rival.p_post[~changed], rival.p_base[~changed], rtol=1e-6)


@pytest.mark.parametrize("method", RIVALS)
def test_rivals_can_be_summarized_beside_amplification(method):
    model = factory.load("gpt2")
    frame = pd.concat([swept(model), swept(model, method=method)], ignore_index=True)
    summary = sna.summarize(frame)
    assert summary.method.tolist() == ["differential", method]
    assert summary.test_logodds.notna().all()


@pytest.mark.parametrize("method", [*RIVALS, "attribution"])
def test_the_model_is_as_it_was(method):
    model = sna.load_model(factory.folder("gpt2"), device="cpu")
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    answer = model(PROMPTS[0])
    swept(model, method=method)
    assert torch.equal(model(PROMPTS[0]), answer) and not model.training
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())
    assert not any(site.has_hooks() for site in model.hook_dict.values())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("method", RIVALS)
@pytest.mark.parametrize("look", ["select", "test"])
def test_rivals_are_fitted_on_select_alone(method, look):
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


def test_a_rivals_file_is_its_own(tmp_path):
    model, out = factory.load("gpt2"), tmp_path / "a.parquet"
    frame = swept(model, method="steering", out=out)
    again = swept(model, method="steering", out=out)
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    with pytest.raises(sna.DataError, match="method: 'steering' there, 'temperature' here"):
        swept(model, method="temperature", out=out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "steer"}, "method 'steer'.* Did you mean 'steering'.*Use one of: temperature"),
        ({"method": "differential"}, "unknown method 'differential'.*Use one of: temperature"),
        ({"positions": "first"}, "'all' or 'last', not 'first'"),
        ({"split": "all"}, "split is 'select', 'test' or both of them, not 'all'"),
        ({"grid": sna.Grid(layers=[3])}, "layer 3 is out of range: expected 0 to 2"),
        ({"grid": sna.Grid(counts=[129])}, "count 129 is out of range"),
        ({"tasks": "countries"}, "no task 'countries'"),
        ({"neutral": []}, "at least one text"),
        ({"memory_gb": 0}, "memory_gb is 0"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(options, message, monkeypatch):
    monkeypatch.setattr(Runner, "_prepare", None)
    options = {"tasks": TASK, "method": "steering", "neutral": NEUTRAL} | options
    with pytest.raises(sna.SNAError, match=message):
        sna.rival_sweep(factory.load("gpt2"), progress=False, **options)


# Temperature


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", ALL)
def test_a_temperature_makes_select_as_confident_as_the_amplification(family, positions):
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
    assert fit_temperature(logits, 0.0) == COLDEST
    assert fit_temperature(logits, -5.0) == HOTTEST


# Steering


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", ALL)
def test_steering_adds_the_mean_difference_as_long_as_what_amplifying_adds(family, positions):
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
def test_norm_matched_neurons_add_vectors_as_long(family, positions):
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
        scaled = p_with(
            model, site, lambda value, mask, s=scale: value * (1 + mask * (s - 1)), positions
        )
        np.testing.assert_allclose(p_post(frame, count, multiplier), scaled, rtol=1e-8)


def test_another_seed_draws_others_of_about_the_same_size():
    model = factory.load("gpt2", DOUBLE)
    frames = [swept(model, method="norm_matched", seed=seed) for seed in (0, 0, 1)]
    assert frames[0].equals(frames[1])
    assert not np.allclose(frames[0].p_post, frames[2].p_post)


# Learned scaling


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", ALL)
def test_learned_factors_scale_their_neurons_within_reach(family, positions):
    model = factory.load(family, DOUBLE)
    factors, neurons = fitted(model, "learned_scaling", positions)
    frame = swept(model, method="learned_scaling", positions=positions, per_example=True)
    site = model.blocks[1].mlp.out.hook_in.name
    for (count, multiplier), row in factors.items():
        assert (row[count:] == 1).all()
        assert ((row - 1).abs() <= abs(multiplier - 1) + 1e-12).all()
        scale = torch.ones(model.cfg.d_mlp, dtype=DOUBLE)
        scale[neurons] = row
        scaled = p_with(
            model, site, lambda value, mask, s=scale: value * (1 + mask * (s - 1)), positions
        )
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


def test_learning_finds_the_best_factors_of_each_configuration():
    best = torch.tensor([1.3, 0.4, 1.0])

    def answer(factors):
        """Two tokens; the first one's log-odds are highest at `best`."""
        logodds = -((factors - best) ** 2).sum(-1)
        return torch.stack([logodds, torch.zeros_like(logodds)], dim=-1)[:, None]

    reach = torch.tensor([[0.5, 0.5, 0.5], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    factors = learn_factors([(torch.tensor([0]), answer)], reach)
    expected = torch.tensor([[1.3, 0.5, 1.0], [1.3, 0.4, 1.0], [1.0, 1.0, 1.0]])
    torch.testing.assert_close(factors, expected, rtol=0, atol=0.1)


def test_where_nothing_is_gained_factors_stay_one():
    def answer(factors):
        """Any change is for the worse, and steps from 1 are steep."""
        logodds = -(factors - 1).abs().sum(-1)
        return torch.stack([logodds, torch.zeros_like(logodds)], dim=-1)[:, None]

    factors = learn_factors([(torch.tensor([0]), answer)], torch.full((2, 3), 0.5))
    assert torch.equal(factors, torch.ones(2, 3))


# Max-T


def frame_of(deltas, task="tiny", method="differential", split="test"):
    """A per-example frame with these Δlog-odds [example, configuration]."""
    rows = [
        dict(
            model="m", task=task, method=method, split=split, example=i, layer=j // 2,
            n_neurons=3, multiplier=1.5 + j % 2, delta_logodds=value,
        )
        for j, column in enumerate(np.transpose(deltas))
        for i, value in enumerate(column)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def noise(rng, n=10, configurations=40):
    """Configurations have half of their variance in common, as pushes of one model have."""
    return rng.standard_normal((n, 1)) + rng.standard_normal((n, configurations))


def test_max_t_is_the_share_of_all_flips():
    deltas = noise(np.random.default_rng(1), n=8, configurations=6) + np.arange(6) / 4
    flips = np.array(list(itertools.product([1, -1], repeat=8)))
    every = stats.ttest_1samp(flips[:, :, None] * deltas, 0, axis=1).statistic
    expected = (every.max(axis=1)[:, None] >= every[0] - 1e-9).mean(axis=0)
    table = sna.max_t(frame_of(deltas), n_flips=20_000)
    np.testing.assert_allclose(table.t, every[0], rtol=1e-9)
    np.testing.assert_allclose(table.p, expected, atol=0.012)
    assert expected.min() < 0.1 and (table.p_task == table.p.min()).all()
    assert table.layer.tolist() == [0, 0, 1, 1, 2, 2] and (table.n == 8).all()
    assert table.multiplier.tolist() == [1.5, 2.5] * 3


def test_max_t_keeps_its_level_where_the_best_of_many_does_not():
    rng, found, naive = np.random.default_rng(0), [], []
    for _ in range(500):
        deltas = noise(rng)
        found.append(flip_signs(deltas, 199, rng)[1].min() <= 0.05)
        naive.append(stats.ttest_1samp(deltas, 0, alternative="greater").pvalue.min() <= 0.05)
    assert 0.02 < np.mean(found) < 0.08
    assert np.mean(naive) > 0.25


def test_max_t_finds_the_one_configuration_that_works():
    deltas = noise(np.random.default_rng(3), n=20)
    deltas[:, 7] += 2
    table = sna.max_t(frame_of(deltas))
    assert table.t.idxmax() == 7 and table.p[7] < 0.01
    assert (table.p.drop(7) > 0.05).all()
    falling = deltas.copy()
    falling[:, 7] -= 4  # a loss is no gain
    assert sna.max_t(frame_of(falling)).p[7] > 0.9


def test_nothing_done_and_all_alike():
    deltas = np.column_stack([np.zeros(6), np.full(6, 0.1), [1, -1, 1, -1, 1, -1]])
    table = sna.max_t(frame_of(deltas), n_flips=6400)
    assert table.t.tolist()[::2] == [0, 0] and table.t[1] > 1e6
    assert table.p[1] == pytest.approx(3 / 64, abs=0.02)  # 2 of 64 flips, and what rounding is
    assert sna.max_t(frame_of(deltas[:, :1])).p.tolist() == [1]


def test_tasks_and_methods_are_tested_by_themselves_on_the_split_asked_for():
    rng = np.random.default_rng(5)
    good, bad = noise(rng, n=12) + 2, noise(rng, n=12)
    parts = [("a", "matched", "test", bad), ("b", "differential", "test", good)]
    parts += [("a", "matched", "select", good), ("b", "differential", "select", bad)]
    frame = pd.concat([frame_of(d, task, method, split) for task, method, split, d in parts])
    for split, low in (("test", "b"), ("select", "a")):
        table = sna.max_t(frame, split=split, n_flips=999)
        assert list(table.groupby(["method", "task"], sort=False).size()) == [40, 40]
        tasks = table.groupby("task").p_task.first()
        assert tasks[low] < 0.01 < 0.1 < tasks.drop(low).item()
    alone = sna.max_t(frame[frame.task == "a"], n_flips=999)
    pd.testing.assert_frame_equal(
        alone, sna.max_t(frame, n_flips=999).query("task == 'a'").reset_index(drop=True)
    )


def test_max_t_takes_a_sweep_as_it_comes():
    frame = swept(factory.load("gpt2"), per_example=True)
    table = sna.max_t(frame, n_flips=99)
    assert len(table) == 6 and (table.n == 2).all()
    mine = frame.query("split == 'test' and n_neurons == 20 and multiplier == 2.4").delta_logodds
    assert table.t[0] == pytest.approx(stats.ttest_1samp(mine, 0).statistic)
    with pytest.raises(sna.DataError, match=r"no column example.*per_example=True"):
        sna.max_t(sna.task_level(frame))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.drop(columns="delta_logodds"), {}, "no column delta_logodds"),
        (lambda f: f, {"split": "select"}, "no 'select' rows"),
        (lambda f: f, {"split": "tset"}, "unknown split 'tset'. Did you mean 'test'"),
        (lambda f: f, {"n_flips": 0}, "n_flips 0 is out of range"),
        (lambda f: pd.concat([f, f]), {}, r"tiny has \{'layer': 0.*twice"),
        (lambda f: f.drop(index=3), {}, "tiny has 6 examples, 1 of whose Δlog-odds are missing"),
        (lambda f: f.replace(f.delta_logodds[2], np.inf), {}, "1 of whose .* not finite"),
        (lambda f: f[f.example == 0], {}, "tiny has 1 examples"),
    ],
)
def test_tables_that_cannot_be_flipped(change, options, message):
    frame = frame_of(noise(np.random.default_rng(0), n=6, configurations=4))
    with pytest.raises(sna.SNAError, match=message):
        sna.max_t(change(frame), **options)


# Holm and power


def test_holm_by_hand():
    # In order: 0.005 × 4, 0.01 × 3, 0.03 × 2, 0.04 × 1; the last no less than the one before.
    adjusted = sna.holm([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(sna.holm(pd.Series([0.5, 0.6], index=["a", "b"])), [1, 1])
    assert sna.holm([0.2]).tolist() == [0.2]


@pytest.mark.parametrize("bad", [[], [0.1, 1.2], [-0.1], [0.1, float("nan")], 0.1])
def test_what_is_no_list_of_p_values(bad):
    with pytest.raises(sna.DataError, match="expected a list of one or more numbers from 0 to 1"):
        sna.holm(bad)


def test_power_grows_from_the_level_with_rho_and_n():
    assert sna.power(0, 12) == pytest.approx(0.05, abs=0.015)
    assert 0.75 < sna.power(-0.762, 12) < 0.9  # the paper's ρ, its n
    values = [sna.power(rho, n) for n in (12, 48) for rho in (0.2, 0.4, 0.6)]
    assert values[:3] == sorted(values[:3]) and values[3:] == sorted(values[3:])
    assert all(few + 0.05 < many for few, many in zip(values[:3], values[3:], strict=True))
    assert sna.power(-0.4, 48) == pytest.approx(sna.power(0.4, 48), abs=0.02)
    assert sna.power(0.4, 48, alpha=0.01) < sna.power(0.4, 48)


def test_power_is_of_the_spearman_correlation_named():
    # Over many tasks a test is significant in half of the cases where rho is at its edge.
    n = 400
    edge = math.sqrt(stats.f.isf(0.05, 1, n - 2) / (stats.f.isf(0.05, 1, n - 2) + n - 2))
    assert sna.power(edge, n, n_simulations=3000) == pytest.approx(0.5, abs=0.04)
    assert sna.power(1, 12, n_simulations=10) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((1.2, 12), "rho is 1.2: expected a number from -1 to 1"),
        ((float("nan"), 12), "rho is nan"),
        ((0.5, 3), "n 3 is out of range"),
        ((0.5, 12.0), "n 12.0 is out of range"),
    ],
)
def test_power_of_what_cannot_be(given, message):
    with pytest.raises(sna.SNAError, match=message):
        sna.power(*given)
    with pytest.raises(sna.SNAError, match="alpha is 5: expected a number from 0 to 1"):
        sna.power(0.5, 12, alpha=5)
    with pytest.raises(sna.SNAError, match="n_simulations 0 is out of range"):
        sna.power(0.5, 12, n_simulations=0)
