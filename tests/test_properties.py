"""What must hold whatever the grid, the tasks, the model and the mishap."""

import random
import tempfile
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import factory
import snahelpers as sna
from snahelpers import scoring
from snahelpers.files import Results

FEW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = [f" {word}" for word in "cat mat dog hill rain town sea red violets four".split()]
OUTCOMES = ["p_base", "p_post", "delta_logodds", "entropy_post"]
families = st.sampled_from([*factory.DENSE, "gemma2"])
grids = st.builds(
    sna.Grid,
    layers=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=2, unique=True),
    multipliers=st.lists(st.floats(0, 8), min_size=1, max_size=3, unique=True),
)


@st.composite
def tasks(draw, name="random"):
    """Prompts of one to six words, answers of one to four tokens, both splits."""
    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map("".join)
    answers = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map("".join)
    prompts = draw(st.lists(words, min_size=2, max_size=6, unique=True))
    examples = [
        sna.Example(prompt, draw(answers), ("select", "test")[i % 2])
        for i, prompt in enumerate(prompts)
    ]
    return sna.Task(name, "any", "any", examples)


@FEW
@given(families, tasks(), grids, st.sampled_from(["all", "last"]))
def test_the_engine_is_the_hooks(family, task, grid, positions):
    model = factory.load(family, torch.float64)
    fast, plain = (
        factory.sweep(model, task, grid, positions=positions, per_example=True, engine=engine)
        for engine in ("auto", "hooks")
    )
    np.testing.assert_allclose(fast[OUTCOMES], plain[OUTCOMES], rtol=1e-7, atol=1e-8)
    [row] = fast.sample(1, random_state=0).itertuples()  # and hooks are amplify and measure
    scores = sna.differential_activation(
        model, task.split("select").prompts, factory.SENTENCES, positions=positions
    )
    neurons = sna.top_neurons(scores, row.layer, row.n_neurons)
    push = sna.Amplification(row.layer, neurons, row.multiplier, positions)
    with sna.amplify(model, push):
        assert sna.measure(model, task).p[row.example] == pytest.approx(row.p_post, rel=1e-7)


class Chance(Executor):
    """Finishes its work late and in any order, and some of it never."""

    def __init__(self, seed, lost=()):
        self.chance, self.waiting, self.lost, self.n = random.Random(seed), [], lost, 0

    def submit(self, function, /, *given):
        future, place = Future(), self.n
        self.n += 1
        self.waiting.append((future, place, function, given))
        self.chance.shuffle(self.waiting)
        while len(self.waiting) > 2 or (self.waiting and place == 5):
            self._finish(*self.waiting.pop())
        return future

    def _finish(self, future, place, function, given):
        if place in self.lost:
            future.set_exception(ConnectionError("lost"))
        else:
            future.set_result(function(*given))


@FEW
@given(st.integers(0, 10**6), st.sets(st.integers(0, 5), max_size=3), st.booleans())
def test_any_order_and_any_interruption_give_the_same_frame(seed, lost, per_example):
    model, two = (
        factory.load("gpt2"),
        [factory.task(), factory.task("other", factory.PROMPTS[1:], factory.TARGETS[1:])],
    )
    grid, options = sna.Grid(counts=[3, 5], multipliers=[2.0]), {"per_example": per_example}
    whole = factory.sweep(model, two, grid, **options)
    with tempfile.TemporaryDirectory() as folder:
        options["out"] = Path(folder) / "a.parquet"
        if lost:
            with pytest.raises(sna.SNAError, match="A worker stopped"):
                factory.sweep(model, two, grid, executor=Chance(seed, lost), **options)
        again = factory.sweep(model, two, grid, **options)  # the rest, by this process
    pd.testing.assert_frame_equal(again, whole, rtol=1e-6, atol=1e-6)
    if not lost:
        any_order = factory.sweep(model, two, grid, executor=Chance(seed), per_example=per_example)
        pd.testing.assert_frame_equal(any_order, whole, rtol=1e-6, atol=1e-6)


@FEW
@given(st.sampled_from([("read", 0), *(("write", n) for n in range(4))]))
def test_interrupted_anywhere_is_unbroken(when):
    (where, n), model, task = when, factory.load("gpt2"), factory.task()
    grid, calls = sna.Grid(counts=[3], multipliers=[2.0, 3.0]), []
    original = getattr(Results, where)

    def stop(self, *given):
        calls.append(given)
        if len(calls) > n:
            raise KeyboardInterrupt
        return original(self, *given)

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        out = Path(folder) / "a.parquet"
        patched.setattr(Results, where, stop)
        with pytest.raises(KeyboardInterrupt):
            factory.sweep(model, task, grid, out=out)
        patched.undo()
        broken = factory.sweep(model, task, grid, out=out)
        assert [file.name for file in Path(folder).iterdir()] == ["a.parquet"]
    pd.testing.assert_frame_equal(broken, factory.sweep(model, task, grid), check_exact=True)


def everything(model, task, grid):
    """Every public function that takes a model."""
    texts, push = task.prompts, sna.Amplification(1, [3], 2.0)
    options = dict(neutral=factory.SENTENCES, progress=False)
    sna.activations(model, texts)
    sna.differential_activation(model, texts, factory.SENTENCES)
    sna.output_norms(model)
    sna.max_activating_contexts(model, texts, layer=1, neuron=3)
    sna.next_token_change(model, texts[0], push)
    sna.measure(model, task)
    scoring.write(model, texts, push, lengths=[2])
    sna.sentiment.classify(model, texts)
    sna.sweep(model, task, grid, **options)
    sna.contest(model, task, grid, draws=1, **options)
    sna.interference.side_effects(model, [task], factory.SENTENCES, push)


@settings(FEW, max_examples=3)
@given(st.sampled_from(factory.DENSE), tasks(), st.data())
def test_no_public_function_leaves_a_trace_in_the_model(family, task, data):
    grid = sna.Grid([data.draw(st.integers(0, 2))], [3], [2.0])
    with factory.unchanged(factory.load(family)):
        everything(factory.load(family), task, grid)
