"""A thousand wrong inputs: each works as its oracle says, or is refused with a sentence.

A sentence is an SNAError. Anything else that is raised, and anything that takes forever, is a bug.
"""

import contextlib
import csv
import io
import itertools
import random
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import factory
import snahelpers as sna
from snahelpers import scoring, sentiment

LIMIT = 60  # seconds for one input; a hang is a bug
NAN = float("nan")
# One of nearly everything that can stand where something else is meant.
VALUES = [
    *(None, True, 0, -1, 3, 10**12, 1.5, NAN, float("inf"), 2 + 1j, 1e-320),
    *("", "x", "test", "0", "select", b"x", "\ud800", "\x00", "é" * 2000),
    *([], ["x"], [0], [0, 0], [-1], [None], [1.5], [True], [[0]], (), (1, 2), {0, 1}, {"x"}),
    *({}, {"x": 1}, range(2), np.int64(1), np.float32(1.5), np.array([1, 2]), np.array(1)),
    *(np.array([NAN]), torch.tensor(1), torch.tensor([1.5]), torch.zeros(2, 3)),
    *(
        pd.Series(["A dog"]),
        pd.DataFrame(),
        pd.DataFrame({"p": [0.5]}),
        object(),
        len,
        Path("nowhere"),
        iter([]),
    ),
]
TASK = factory.task()
GRID = sna.Grid(layers=[1], counts=[3], multipliers=[2.0])
SWEEP = {"tasks": TASK, "grid": GRID, "neutral": factory.SENTENCES, "progress": False}


def frame():
    return factory.sweep(factory.load("gpt2"), [TASK, factory.task("other")], sna.Grid())


def cases():
    """(name, function, good arguments): each argument is replaced by each of `VALUES`."""
    model, scores = factory.load("gpt2"), torch.randn(3, 128)
    push, texts = sna.Amplification(1, [3], 2.0), list(factory.PROMPTS)
    swept = factory.sweep(model, TASK, sna.Grid(counts=[3], multipliers=[2.0]), per_example=True)
    held = swept.assign(draw=0)
    contest = {"methods": ["differential"], "draws": 1}
    pairs, labels = sentiment.pairs(scores, 2), ["positive", "negative"]
    said = sentiment.decide(np.array([0.1, -2.0]))
    yield (
        "sweep",
        sna.sweep,
        {
            "model": model,
            **SWEEP,
            "split": "test",
            "method": "random",
            "seed": 1,
            "positions": "all",
            "per_example": False,
            "engine": "batched",
            "memory_gb": 1.0,
            "out": None,
            "executor": None,
        },
    )
    yield "contest", sna.contest, {"model": model, **SWEEP, **contest, "memory_gb": 1, "out": None}
    yield "Grid", sna.Grid, {"layers": [0], "counts": [3], "multipliers": [2.0]}
    yield "Example", sna.Example, {"prompt": "A", "target": " b", "split": "test"}
    yield (
        "Task",
        sna.Task,
        {"name": "t", "domain": "d", "difficulty": "e", "examples": TASK.examples},
    )
    yield "Amplification", sna.Amplification, vars(push)
    yield "measure", sna.measure, {"model": model, "task": TASK}
    yield "activations", sna.activations, {"model": model, "texts": texts, "positions": "all"}
    yield (
        "differential_activation",
        sna.differential_activation,
        {"model": model, "texts": texts, "neutral": texts},
    )
    yield (
        "top_neurons",
        sna.top_neurons,
        {"scores": scores, "layer": 1, "k": 3, "require_positive": True, "task_means": scores},
    )
    yield "loudest_layer", sna.loudest_layer, {"scores": scores, "k": 3}
    yield (
        "less_negative",
        sna.less_negative,
        {"task_means": scores, "scores": scores, "layer": 1, "neurons": torch.tensor([1, 2])},
    )
    yield "random_neurons", sna.random_neurons, {"d_mlp": 128, "k": 3, "seed": 0, "exclude": [1]}
    yield (
        "matched_neurons",
        sna.matched_neurons,
        {"neurons": torch.tensor([1]), "sizes": scores[0], "seed": 0},
    )
    yield (
        "max_activating_contexts",
        sna.max_activating_contexts,
        {"model": model, "texts": texts, "layer": 1, "neuron": 3, "k": 2},
    )
    yield (
        "next_token_change",
        sna.next_token_change,
        {"model": model, "prompt": "A dog", "always": " ran", "k": 3},
    )
    yield "write", scoring.write, {"model": model, "prompts": texts, "lengths": [2]}
    yield "load_tasks", sna.load_tasks, {"source": "ladder"}
    yield "load_neutral", sna.load_neutral, {"source": "minnow"}
    yield "load_reviews", sna.load_reviews, {"path": None}
    yield "load_sst2", sentiment.load_sst2, {"source": "reviews"}
    yield (
        "load_model",
        sna.load_model,
        {"name": "nowhere/at-all", "device": "cpu", "dtype": "float32"},
    )
    yield "load_dimmed", sna.load_dimmed, {"factor": 0.4, "base": "nowhere"}
    yield "answer_key", sna.answer_key, {"base": "minnow"}
    yield "few", sna.few, {"tasks": {"tiny": TASK}, "n": 1}
    yield "read_results", sna.read_results, {"file": "nowhere.parquet"}
    yield "zone", sna.zone, {"p": 0.5, "low": 0.1, "high": 0.2}
    yield "summarize", sna.summarize, {"frame": sna.task_level(swept), "low": 0.1, "high": 0.2}
    yield "task_level", sna.task_level, {"frame": swept}
    yield "winners", sna.winners, {"frame": swept}
    yield "compare", sna.compare, {"frame": held, "rival": "matched", "seed": 0}
    yield (
        "correlate",
        sna.correlate,
        {"summary": swept, "outcomes": ["best_pct"], "n_resamples": 10, "seed": 0},
    )
    yield (
        "layer_peaks",
        sna.layer_peaks,
        {"frame": swept, "by": "task", "n_resamples": 10, "seed": 0},
    )
    yield "decompose", sna.decompose, {"frame": swept, "metric": "p_post", "n_resamples": 10}
    yield "classify", sentiment.classify, {"model": model, "sentences": texts, "bias": 0.0}
    yield "compare sentiment", sentiment.compare, {"before": said, "after": said, "labels": labels}
    yield "pairs", sentiment.pairs, {"scores": scores, "k": 2}
    yield "arms", sentiment.arms, {"pairs": pairs, "layer": 1}
    yield "bootstrap_mean", sna.bootstrap_mean, {"values": [0.1, 0.2, 0.3], "seed": 0}


CASES = {name: (function, good) for name, function, good in cases()}
# Where a wrong thing is Python's own business: what only asks for true or false.
FLAGS = {"progress", "per_example", "require_positive"}


@contextlib.contextmanager
def soon():
    """No hang."""

    def late(*_):
        raise TimeoutError("it hangs")

    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, late)
        signal.alarm(LIMIT)
    try:
        yield
    finally:
        if hasattr(signal, "SIGALRM"):
            signal.alarm(0)


def problem(call, right=lambda result: True):
    """What is wrong with how a call ends, if anything is; `right` is asked if it returns."""
    quiet = io.StringIO()
    try:
        with soon(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            return None if right(call()) else "wrong, without a word"
    except sna.SNAError as error:
        return None if len(str(error)) > 15 else f"says little: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:90]}"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("name", CASES)
def test_no_argument_makes_a_raw_error(name):
    function, good = CASES[name]
    model = factory.load("gpt2")
    with factory.unchanged(model):
        problems = []
        for argument, value in itertools.product([a for a in good if a not in FLAGS], VALUES):
            with np.errstate(all="ignore"):
                found = problem(lambda a=argument, v=value: function(**good | {a: v}))
            if found:
                problems.append(f"{argument}={value!r:.40}: {found}")
    assert not problems, f"{len(problems)} of {name}:\n" + "\n".join(problems)


def test_a_thousand_inputs():
    n = sum(len([a for a in good if a not in FLAGS]) for _, good in CASES.values()) * len(VALUES)
    assert n >= 1000


# Files


def mutated(raw: bytes, chance: random.Random, n: int):
    """The bytes cut short, or with a few of them changed, dropped, doubled or put in."""
    for _ in range(n):
        new = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            if not new:
                break
            at, kind = chance.randrange(len(new)), chance.randrange(5)
            if kind == 0:
                new[at] = chance.randrange(256)
            elif kind == 1:
                del new[at : at + chance.randint(1, 40)]
            elif kind == 2:
                new[at:at] = chance.choice(
                    [b'"', b",", b"\n", b"\x00", b";", b"\t", b"}", b"9", b"-"]
                )
            elif kind == 3:
                new[at:at] = new[at : at + 30]
            else:
                new = new[: at + 1]
        yield bytes(new)


def problems_of(path, n, read, right=lambda path: lambda result: True):
    """Of n mutations of a file those that are neither refused nor read as they should be."""
    raw, found = path.read_bytes(), []
    for new in mutated(raw, random.Random(0), n):
        path.write_bytes(new)
        found.append(problem(lambda: read(path), right(path)))
    path.write_bytes(raw)
    return [each for each in found if each]


TABLE = """task,domain,difficulty,split,prompt,target
sums,maths,easy,select,Two plus two is, four
sums,maths,easy,test,"One, and one is", two
cats,words,hard,select,The cat sat on the, mat
cats,words,hard,test,"A ""dog"" ran over the", hill
"""


def as_csv_has_them(path):
    """By Python's own reader."""

    def right(tasks):
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        delimiter = "," if "," in text.partition("\n")[0] else ";"
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        wanted = [(r["task"], r["split"], r["prompt"], r["target"]) for r in rows]
        found = [(t.name, e.split, e.prompt, e.target) for t in tasks.values() for e in t.examples]
        return sorted(row for row in wanted if any(row)) == sorted(found)

    return right


def test_tables_of_tasks(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(TABLE, encoding="utf-8")
    assert not problems_of(path, 250, sna.load_tasks, as_csv_has_them)


@pytest.mark.parametrize("name", ["r.tsv", "r.csv", "r.parquet"])
def test_tables_of_reviews(name, tmp_path):
    rows = pd.DataFrame({"sentence": [f"film {i}" for i in range(410)], "label": [0, 1] * 205})
    path = tmp_path / name
    if ".parquet" in name:
        rows.to_parquet(path)
    else:
        rows.to_csv(path, sep="\t" if ".tsv" in name else ",", index=False)
    known = {"positive", "negative"}
    assert not problems_of(
        path, 60, sentiment.load_sst2, lambda _: lambda table: set(table.label) <= known
    )


def test_tables_of_sweeps(tmp_path):
    path = tmp_path / "a.parquet"
    whole = factory.sweep(factory.load("gpt2"), TASK, sna.Grid(counts=[3]), out=path)

    def same(path):
        return lambda read: all(
            np.array_equal(read[name], whole[name][: len(read)]) for name in whole if name in read
        )

    assert not problems_of(path, 100, sna.read_results, same)


@pytest.mark.parametrize(
    ("name", "n"), [("model.safetensors", 15), ("config.json", 15), ("tokenizer.json", 10)]
)
def test_folders_of_models(name, n, tmp_path):
    """The header of the weights, the configuration, the tokenizer."""
    folder = factory.write(tmp_path / "m", "GPT2LMHeadModel", **factory.GPT2 | {"n_layer": 1})
    path, chance = folder / name, random.Random(1)
    raw, found = path.read_bytes(), []
    for head in mutated(raw[:1500], chance, n):
        path.write_bytes(head + raw[1500:])
        found.append(problem(lambda: sna.load_model(folder, device="cpu")))
    assert not [each for each in found if each]


@pytest.mark.parametrize(
    "value", ["", " ", "nowhere.tsv", "minow", "-", "\n", "é", "/", "~", ".", "a b"]
)
def test_the_environment_is_honoured_or_refused_aloud(value, monkeypatch):
    monkeypatch.setenv("SNA_MODEL", value)
    assert not problem(
        sna.load_model, lambda model: value == "" and model.cfg.model_name == "minnow"
    )
    monkeypatch.setenv("SNA_SST2", value)
    if value:  # nothing asks the hub, which is offline here
        with pytest.raises(sna.SNAError):
            sentiment.load_sst2()


# What works is right


def test_habits_give_what_the_plain_words_give():
    model = factory.load("gpt2")
    plain = factory.sweep(model, TASK, sna.Grid([0, 1], [3], [1.5, 2.0]))
    task = sna.Task(TASK.name, TASK.domain, TASK.difficulty, list(TASK.examples))
    series = pd.Series(factory.SENTENCES, index=range(5, -1, -1))
    for layers in ({1, 0}, np.array([0, 1]), torch.tensor([0, 1]), range(2), pd.Series([0, 1])):
        grid = sna.Grid(layers, np.int64(3), np.array([1.5, 2.0]))
        found = factory.sweep(model, task, grid, neutral=series)
        pd.testing.assert_frame_equal(found, plain, check_exact=True)
    prompts = pd.Series(factory.PROMPTS, index=[3, 1, 4, 0, 2])
    for function in (
        lambda texts: scoring.write(model, texts, lengths=[3]),
        lambda texts: sentiment.classify(model, texts),
    ):
        pd.testing.assert_frame_equal(function(prompts), function(factory.PROMPTS))
    assert torch.equal(sna.activations(model, prompts), sna.activations(model, factory.PROMPTS))
    for single in (lambda: sentiment.classify(model, "good"), lambda: sna.activations(model, "A")):
        with pytest.raises(sna.DataError, match="list of at least one text, got"):
            single()
    scores = sna.differential_activation(model, factory.PROMPTS, factory.SENTENCES)
    expected = sna.top_neurons(scores, 1, 3)
    assert torch.equal(sna.top_neurons(scores, np.int64(1), np.int32(3)), expected)
    push = sna.Amplification(1, set(expected.tolist()), np.float32(2))
    assert set(push.neurons) == set(expected.tolist()) and push.multiplier == 2.0
