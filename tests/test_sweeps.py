"""A sweep is what amplifying and measuring one by one gives, whatever the engine or the mishap."""

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import factory
import snahelpers as sna
from planted import COLUMNS
from snahelpers import engines, methods, sweeps
from snahelpers.engines import ENGINES, CleanPass, most_at_once
from snahelpers.files import Results
from snahelpers.methods import METHODS, Method
from snahelpers.sweeps import Sweeper

DOUBLE, SINGLE = torch.float64, torch.float32
TOLERANCE = {DOUBLE: 1e-9, SINGLE: 1e-4}
# Lengths mixed, one token included; and the beginning-of-sequence token inside a text.
PROMPTS = [*factory.PROMPTS, "The", f"A{factory.END} dog ran", "Rain fell on the quiet", " and"]
TARGETS = [*factory.TARGETS, " cat", " over", " town", " violets"]
NEUTRAL = factory.SENTENCES
TASK = factory.task(prompts=PROMPTS, targets=TARGETS)
# Neither in order, so that no engine can count on it; muting and the largest multiplier included.
GRID = sna.Grid(counts=(20, 3), multipliers=(2.4, 0.0, 12.0))
SMALL = sna.Grid(counts=(3, 5), multipliers=(1.5, 2.4))


def swept(model, tasks=TASK, grid=GRID, **options):
    return factory.sweep(model, tasks, grid, **options)


def assert_close(actual, expected, tolerance):
    labels = COLUMNS[: COLUMNS.index("p_base")]
    pd.testing.assert_frame_equal(actual[labels], expected[labels])
    for name in ("p_base", "p_post"):
        np.testing.assert_allclose(actual[name], expected[name], rtol=tolerance)
    for name in ("delta_logodds", "entropy_base", "entropy_post"):
        np.testing.assert_allclose(actual[name], expected[name], rtol=tolerance, atol=tolerance)
    if tolerance <= TOLERANCE[DOUBLE]:  # two tokens may change places by rounding in float32
        assert actual[["rank_base", "rank_post"]].equals(expected[["rank_base", "rank_post"]])


def fail(*_, **__):
    raise AssertionError("the model must not run")


# What is measured


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", [*factory.DENSE, "gemma2"])
def test_a_sweep_is_amplify_and_measure(family, positions):
    model, select = factory.load(family, DOUBLE), TASK.split("select").prompts
    frame = swept(model, per_example=True, positions=positions)
    means = [sna.mean_activations(model, texts, positions=positions) for texts in (select, NEUTRAL)]
    before = sna.measure(model, TASK)
    for layer, (count, multiplier) in itertools.product(range(3), GRID.configurations()):
        neurons = (means[0] - means[1])[layer].topk(count).indices
        with sna.amplify(model, sna.Amplification(layer, neurons, multiplier, positions)):
            after = sna.measure(model, TASK)
        labels = f"layer == {layer} and n_neurons == {count} and multiplier == {multiplier}"
        rows = frame.query(labels).sort_values("example")
        assert rows.example.tolist() == list(range(len(PROMPTS)))
        assert rows.split.tolist() == after.split.tolist()
        tolerance = {"rtol": 1e-8, "atol": 1e-9}
        for name in ("p", "rank", "entropy"):
            np.testing.assert_allclose(rows[f"{name}_base"], before[name], **tolerance)
            np.testing.assert_allclose(rows[f"{name}_post"], after[name], **tolerance)
        gains, per_cent = after.logodds - before.logodds, 100 * (after.p / before.p - 1)
        np.testing.assert_allclose(rows.delta_logodds, gains, **tolerance)
        np.testing.assert_allclose(rows.pct_improvement, per_cent, rtol=1e-8, atol=1e-7)
        assert gains.abs().max() > 1e-3


def test_a_model_in_compatibility_mode_is_swept_as_it_answers():
    model = sna.load_model(factory.folder("gpt2"), device="cpu", dtype=DOUBLE)
    model.enable_compatibility_mode(disable_warnings=True)
    frames = [swept(model, per_example=True, engine=engine) for engine in ("auto", "hooks")]
    assert_close(*frames, TOLERANCE[DOUBLE])


def test_an_engine_that_is_not_exact_is_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr(sweeps, "measure_layer", fail)
    with pytest.raises(sna.ModelError, match="not exact for gemma2"):
        swept(factory.load("gemma2"), engine="resume")


@pytest.mark.parametrize("family", factory.DENSE)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_runs_through_the_same_code(family, dtype):
    # All neurons of a layer: the choice of some would turn on rounding.
    grid = sna.Grid(counts=[factory.load(family).cfg.d_mlp], multipliers=[0.0, 2.5])
    tolerance = 16 * torch.finfo(dtype).eps
    half, single = (
        swept(factory.load(family, d), grid=grid, per_example=True) for d in (dtype, SINGLE)
    )
    outcomes = COLUMNS[COLUMNS.index("p_base") :]
    assert np.isfinite(half[outcomes].to_numpy()).all()
    np.testing.assert_allclose(half.p_post, single.p_post, rtol=tolerance)
    np.testing.assert_allclose(half.delta_logodds, single.delta_logodds, atol=tolerance)
    assert single.delta_logodds.abs().max() > 1


# Memory


@pytest.mark.parametrize("engine", ["resume", "batched"])
def test_a_small_memory_changes_nothing(engine):
    model = factory.load("neox", DOUBLE)
    small, large = (
        swept(model, per_example=True, engine=engine, memory_gb=memory) for memory in (1e-9, 9)
    )
    assert_close(small, large, TOLERANCE[DOUBLE])
    np.testing.assert_allclose(small.pct_improvement, large.pct_improvement, atol=1e-6)


@pytest.mark.parametrize("engine", ["resume", "batched"])
@pytest.mark.parametrize("memory_gb", [1e-9, 3e-4, 1.0])
def test_as_many_at_once_as_the_memory_allows(engine, memory_gb, monkeypatch):
    def record(model, clean, layer, factors):
        chunks.append((len(factors), most_at_once(model, clean, engine, memory_gb * 2**30)))
        return run(model, clean, layer, factors)

    chunks, run = [], ENGINES[engine]
    monkeypatch.setattr(engines, "CPU_TOKENS", 10**9)
    monkeypatch.setattr(engines, "disagreement", lambda *_: None)
    monkeypatch.setitem(ENGINES, engine, record)
    grid = sna.Grid(layers=[1])
    swept(factory.load("gpt2"), grid=grid, engine=engine, memory_gb=memory_gb)
    for n, most in chunks:
        assert n in (min(84, most), 84 % min(84, most))
    largest = max(n for n, _ in chunks)
    assert {1e-9: largest == 1, 3e-4: 1 < largest < 84, 1.0: largest == 84}[memory_gb]


@pytest.mark.parametrize(("memory_gb", "times"), [(1, 1), (1e-9, 3)])
def test_clean_passes_are_kept_for_the_next_layer_if_they_fit(memory_gb, times, monkeypatch):
    def count(model, batch, *rest):
        lengths.append(batch.tokens.shape[1])
        return CleanPass(model, batch, *rest)

    lengths = []
    monkeypatch.setattr(methods, "CleanPass", count)
    swept(factory.load("gpt2"), engine="batched", memory_gb=memory_gb)
    assert len(lengths) == times * len(set(lengths)) > 3 * times


# The frame


@pytest.mark.parametrize("split", ["select", "test", ("select", "test"), ["test", "select"]])
def test_one_row_a_configuration_in_the_order_of_the_design(split):
    model, grid = factory.load("gpt2"), replace(GRID, layers=(2, 0))
    frame = swept(model, [TASK, factory.task("other")], grid, split=split)
    assert list(frame) == [name for name in COLUMNS if name != "example"]
    splits = [name for name in ("select", "test") if name in split]
    keys = ["task", "layer", "split", "n_neurons", "multiplier"]
    values = (["tiny", "other"], grid.layers, splits, grid.counts, grid.multipliers)
    assert list(frame[keys].itertuples(index=False, name=None)) == list(itertools.product(*values))
    labels = dict(model="gpt2", domain="words", difficulty="easy", method="differential")
    assert (frame[list(labels)] == list(labels.values())).all(axis=None)


def test_one_row_an_example_and_their_means_are_the_plain_frame():
    model = factory.load("gpt2")
    frame, each = (swept(model, per_example=flag) for flag in (False, True))
    assert list(each) == COLUMNS and len(each) == len(TASK) * len(frame) / 2
    splits = [TASK.examples[i].split for i in each.example]
    assert each.split.tolist() == splits
    pd.testing.assert_frame_equal(sna.task_level(each), frame, check_exact=True)
    with pytest.raises(sna.DataError, match="no column example"):
        sna.task_level(frame)


def rewritten(split, prompt, target):
    """The task with another first example of one split."""
    examples = list(TASK.examples)
    place = [e.split for e in examples].index(split)
    examples[place] = sna.Example(prompt, target, split)
    return replace(TASK, examples=tuple(examples))


def test_one_split_is_part_of_both():
    model = factory.load("gpt2", DOUBLE)
    both = swept(model, per_example=True)
    for split in ("select", "test"):
        expected = both[both.split == split].reset_index(drop=True)
        assert_close(swept(model, per_example=True, split=split), expected, TOLERANCE[DOUBLE])


def test_tasks_in_any_form():
    model, other = factory.load("gpt2"), factory.task("other", PROMPTS[:4], TARGETS[:4])
    both = swept(model, {"tiny": TASK, "other": other})
    pd.testing.assert_frame_equal(swept(model, [TASK, other]), both, check_exact=True)
    pd.testing.assert_frame_equal(swept(model, (t for t in (TASK, other))), both, check_exact=True)
    alone = both[both.task == "tiny"].reset_index(drop=True)
    pd.testing.assert_frame_equal(swept(model, TASK), alone, check_exact=True)


def test_tasks_by_name_are_the_twelve_and_texts_are_the_courses():
    model, (name, task) = sna.load_model(device="cpu"), next(iter(sna.load_tasks().items()))
    grid, options = sna.Grid([4], [3], [2.4]), {"engine": "batched", "progress": False}
    expected = sna.sweep(model, task, grid, neutral=sna.load_neutral(), **options)
    for named in (name, [name]):
        frame = sna.sweep(model, named, grid, **options)
        pd.testing.assert_frame_equal(frame, expected, check_exact=True)


def test_the_papers_grid():
    assert sna.Grid().counts == (3, 5, 8, 10, 15, 20, 25)
    assert sna.Grid().multipliers == pytest.approx(np.linspace(1.1, 2.4, 12))
    assert len(sna.Grid().configurations()) == 84 and sna.Grid().layers is None
    frame = swept(factory.load("gpt2"), grid=sna.Grid(multipliers=np.array([2, 3])), split="test")
    assert sorted(set(frame.layer)) == [0, 1, 2] and len(frame) == 3 * 7 * 2


# What is seen, and what is left


def test_the_engine_is_named_once_beside_a_bar_of_configurations(capsys):
    swept(factory.load("gpt2"), [TASK, factory.task("other")], progress=True)
    shown = capsys.readouterr()
    [line] = shown.out.strip().splitlines()
    assert line.startswith("sweep: engine 'resume'")
    assert "36.0/36.0" in shown.err and "config/s" in shown.err


@pytest.mark.parametrize("options", [{"engine": "resume", "progress": True}, {"progress": False}])
def test_an_engine_that_was_asked_for_is_not_named(options, capsys):
    swept(factory.load("gpt2"), **options)
    shown = capsys.readouterr()
    assert shown.out == "" and bool(shown.err) == options["progress"]


# Results that outlive the run


def parts(out):
    """The finished parts beside `out`: those files and no copies of them."""
    found = Path(f"{out}.parts").glob("*.parquet")
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in found}


def killed_again_and_again(folder):
    """Run by a process of its own: sweeps that are killed, and one that may finish.

    A fork needs no new start of Python, so that there is time for many.
    """
    torch.set_num_threads(1)  # threads do not survive a fork
    model, out, chance = factory.load("gpt2"), folder / "broken.parquet", random.Random()
    grid = sna.Grid(counts=(3, 5), multipliers=(1.5, 2.0, 2.4))

    def begin(out):
        child = os.fork()
        if child:
            return child
        try:
            swept(model, [TASK, factory.task("other")], grid, engine="hooks", out=out)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    start, log = time.monotonic(), []
    os.waitpid(begin(folder / "whole.parquet"), 0)
    seconds = time.monotonic() - start
    while not out.exists():
        before, child = parts(out), begin(out)
        if len(log) < 6 or not any(kept for _, kept, _ in log):
            # Later and later, so that some are killed between two parts however slow it is.
            time.sleep(chance.uniform(0, len(log) / 6) * seconds)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kept = parts(out)
        log.append([len(before), len(kept), status])
        assert status in (0, signal.SIGKILL), "it failed"
        assert out.exists() or before.items() <= kept.items(), "a part was written again"
    print(json.dumps(log))


@pytest.mark.skipif(sys.platform != "linux", reason="forks a process that has run torch")
def test_killed_at_any_moment_and_started_again_it_ends_with_the_unbroken_frame(tmp_path):
    script = "import sys, pathlib, test_sweeps as t; t.killed_again_and_again(pathlib.Path('.'))"
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{here.parent}"}
    command = [sys.executable, "-c", script]
    options = {"capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run(command, cwd=tmp_path, env=environment, **options)
    assert done.returncode == 0, done.stderr
    log = json.loads(done.stdout.splitlines()[-1])
    assert any(before < kept for before, kept, status in log if status == signal.SIGKILL)
    whole, broken = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("whole", "broken"))
    pd.testing.assert_frame_equal(broken, whole, check_exact=True)
    assert sorted(os.listdir(tmp_path)) == ["broken.parquet", "whole.parquet"]


def ctrl_c(*_, **__):
    raise KeyboardInterrupt


def stop_at(call, owner, name, meanwhile=ctrl_c):
    """Ctrl-C at one call of a function of `owner`, once `meanwhile` is done."""

    def patch(monkeypatch):
        def stop(*given, **options):
            calls.append(given)
            if len(calls) == call:
                meanwhile(*given)
                raise KeyboardInterrupt
            return function(*given, **options)

        calls, function = [], getattr(owner, name)
        monkeypatch.setattr(owner, name, stop)

    return patch


def while_hooked(model, clean, *_):
    """Where hooks are on the model, as in life."""
    model.run_with_hooks(clean.tokens, fwd_hooks=[("blocks.1.hook_out", ctrl_c)])


def half_written(frame, file):
    file.write_bytes(b"PAR1 and so on")


@pytest.mark.parametrize(
    ("interrupt", "finished"),
    [
        (stop_at(8, engines, "written", while_hooked), 1),  # of 5 lengths of prompt a part
        (stop_at(2, pd.DataFrame, "to_parquet", half_written), 1),
        (stop_at(2, os, "replace"), 1),
        (stop_at(4, Results, "write"), 3),  # when all parts are there and become the whole
        (stop_at(1, shutil, "rmtree"), 3),  # when the whole is there
    ],
    ids=["in an engine", "writing", "moving", "all parts", "all done"],
)
def test_ctrl_c_leaves_finished_parts_and_the_next_run_does_the_rest(
    interrupt, finished, monkeypatch, tmp_path
):
    model, out = factory.load("gpt2"), tmp_path / "a.parquet"
    whole = swept(model)
    with factory.unchanged(model), monkeypatch.context() as patch:
        interrupt(patch)
        with pytest.raises(KeyboardInterrupt):
            swept(model, out=out)
    before = parts(out)
    assert len(before) == finished

    def count(job, prepared, method, layer, *rest):
        assert parts(out).items() >= before.items()
        measured.append(layer)
        return measure(job, prepared, method, layer, *rest)

    measured, measure = [], sweeps.measure_layer
    monkeypatch.setattr(sweeps, "measure_layer", count)
    if finished == 3:
        monkeypatch.setattr(Sweeper, "_prepare", fail)
    pd.testing.assert_frame_equal(swept(model, out=out), whole, check_exact=True)
    assert measured == [0, 1, 2][finished:]
    assert os.listdir(tmp_path) == ["a.parquet"]


@pytest.mark.parametrize("per_example", [False, True])
def test_a_finished_file_is_the_frame_and_the_model_does_not_run(
    per_example, monkeypatch, tmp_path
):
    model, out = factory.load("gpt2"), tmp_path / "seed=3" / "a.parquet"
    out.parent.mkdir()
    options = {"out": out, "per_example": per_example}
    frame = swept(model, [TASK], GRID, **options)
    pd.testing.assert_frame_equal(pd.read_parquet(out), frame, check_exact=True)
    monkeypatch.setattr(sweeps, "measure_layer", fail)
    monkeypatch.setattr(Sweeper, "_prepare", fail)
    pd.testing.assert_frame_equal(swept(model, [TASK], GRID, **options), frame, check_exact=True)
    # The same sweep said in other words.
    again = sna.Grid(range(3), list(GRID.counts), np.array(GRID.multipliers))
    same = swept(model, {"tiny": TASK}, again, **options | {"out": str(out)})
    pd.testing.assert_frame_equal(same, frame, check_exact=True)


def edited_model():
    """The same model but for one weight."""
    model = sna.load_model(factory.folder("gpt2"), device="cpu")
    model.blocks[1].mlp.out.original_component.weight[77, 11] += 0.5
    return model


@pytest.fixture(params=["finished", "stopped"])
def written(request, monkeypatch, tmp_path):
    """The file of a finished sweep, or where a stopped one has left its parts."""
    out = tmp_path / "a.parquet"
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        if request.param == "stopped":
            stop_at(4, Results, "write")(patch)
        swept(factory.load("gpt2"), grid=SMALL, out=out)
    assert out.exists() == (request.param == "finished")
    monkeypatch.setattr(sweeps, "measure_layer", fail)
    return out


RELABELLED = replace(TASK, domain="other")
ANSWERED = rewritten("test", PROMPTS[1], " red")


@pytest.mark.parametrize(
    ("named", "family", "dtype", "options"),
    [
        ("layers", "gpt2", SINGLE, {"grid": replace(SMALL, layers=(0, 1))}),
        ("counts", "gpt2", SINGLE, {"grid": replace(SMALL, counts=(3,))}),
        ("multipliers", "gpt2", SINGLE, {"grid": replace(SMALL, multipliers=(1.5, 2.5))}),
        ("tasks", "gpt2", SINGLE, {"tasks": [TASK, factory.task("other")]}),
        ("tasks", "gpt2", SINGLE, {"tasks": RELABELLED}),
        ("tasks", "gpt2", SINGLE, {"tasks": ANSWERED}),
        ("neutral", "gpt2", SINGLE, {"neutral": NEUTRAL[:-1]}),
        ("split", "gpt2", SINGLE, {"split": "test"}),
        ("method", "gpt2", SINGLE, {"method": "negative"}),
        ("seed", "gpt2", SINGLE, {"seed": 1}),
        ("positions", "gpt2", SINGLE, {"positions": "last"}),
        ("per_example", "gpt2", SINGLE, {"per_example": True}),
        ("engine", "gpt2", SINGLE, {"engine": "batched"}),
        ("model: 'gpt2' there, 'neox' here", "neox", SINGLE, {}),
        ("dtype: 'torch.float32' there, 'torch.float64' here", "gpt2", DOUBLE, {}),
        ("weights", "edited", SINGLE, {}),
    ],
)
def test_another_sweeps_results_are_refused_and_left_alone(written, named, family, dtype, options):
    files = [file for file in written.parent.rglob("*") if file.is_file()]
    before = {file: file.read_bytes() for file in files}
    model = edited_model() if family == "edited" else factory.load(family, dtype)
    options = {"grid": SMALL, "out": written} | options
    with pytest.raises(sna.DataError, match=rf"belongs to another sweep \({named}"):
        swept(model, **options)
    assert {file: file.read_bytes() for file in files} == before
    assert files == [file for file in written.parent.rglob("*") if file.is_file()]


@pytest.mark.parametrize("kind", ["a table", "a text", "nothing"])
def test_what_no_sweep_has_written_is_refused_and_left_alone(kind, monkeypatch, tmp_path):
    monkeypatch.setattr(sweeps, "measure_layer", fail)
    out = tmp_path / "a.parquet"
    if kind == "a table":
        pd.DataFrame({"p": [0.5]}).to_parquet(out)
    else:
        out.write_text("my notes" if kind == "a text" else "")
    before = out.read_bytes()
    told = "was not written by a sweep" if kind == "a table" else "cannot be read as parquet"
    with pytest.raises(sna.DataError, match=rf"a\.parquet {told}.*left as it is"):
        swept(factory.load("gpt2"), out=out)
    assert out.read_bytes() == before and os.listdir(tmp_path) == ["a.parquet"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.csv", "is no parquet file. Name one: 'results.parquet'"),
        ("a", "is no parquet file"),
        (".", "is no parquet file"),
        ("folder.parquet", "is no parquet file"),
        ("not/there/a.parquet", "There is no folder .*there"),
    ],
)
def test_an_out_that_cannot_be_written_is_refused_at_once(name, message, monkeypatch, tmp_path):
    (tmp_path / "folder.parquet").mkdir()
    monkeypatch.setattr(sweeps, "measure_layer", fail)
    monkeypatch.setattr(Sweeper, "_prepare", fail)
    with pytest.raises(sna.DataError, match=message):
        swept(factory.load("gpt2"), out=tmp_path / name)
    assert os.listdir(tmp_path) == ["folder.parquet"]


# Refused before anything runs


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"layers": []}, r"layers are \(\): expected one or more"),
        ({"layers": [1, 1]}, r"layers are \(1, 1\): expected one or more, each once"),
        ({"counts": [3, 5, 3]}, "counts are .* each once"),
        ({"multipliers": [2, 2.0]}, "multipliers are .* each once"),
        ({"counts": [0]}, "count 0 is out of range"),
        ({"counts": [2.5]}, "count 2.5 is out of range"),
        ({"counts": [True]}, "count True is out of range"),
        ({"multipliers": [float("nan")]}, "multiplier nan is not a finite number"),
        ({"multipliers": [-0.5]}, "multiplier -0.5 is not a finite number of at least 0"),
    ],
)
def test_grids_that_make_no_sense(part, message):
    with pytest.raises(sna.SNAError, match=message):
        sna.Grid(**part)


LONG = "The" + " cat" * factory.CONTEXT
TESTED = replace(TASK, examples=tuple(e for e in TASK.examples if e.split == "test"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": sna.Grid(counts=[3, 129])}, "count 129 is out of range: expected 1 to 128"),
        ({"grid": sna.Grid(layers=[0, 3])}, "layer 3 is out of range: expected 0 to 2"),
        ({"grid": sna.Grid(layers=[0.5])}, "layer 0.5 is out of range"),
        ({"tasks": []}, r"The tasks are \[\]: expected one or more"),
        ({"tasks": [TASK, TASK]}, r"\['tiny', 'tiny'\]: expected one or more, each once"),
        ({"tasks": "countries"}, "no task 'countries'.* Name one of"),
        ({"tasks": ["maths_eas"]}, "no task 'maths_eas'. Did you mean .*'maths_easy'"),
        ({"tasks": TESTED}, "tiny has no examples in the split 'select'"),
        ({"tasks": TESTED, "split": "test"}, "tiny has no examples in the split 'select'"),
        ({"tasks": TASK.split("select")}, "tiny has no examples in the split 'test'"),
        ({"tasks": rewritten("test", LONG, " dog")}, "reads at most 64"),
        ({"tasks": rewritten("select", LONG, " dog"), "split": "test"}, "reads at most 64"),
        ({"tasks": rewritten("test", "The cat ", "sat")}, "share a token"),
        ({"split": "tset"}, "name='tset' violates .*'select', 'test'"),
        ({"split": []}, "name='' violates .*'select', 'test'"),
        ({"split": ["select", "train"]}, "name='train' violates .*'select', 'test'"),
        ({"split": 3}, "split=3 violates .*str"),
        ({"method": "diferential"}, "method 'diferential'.* Did you mean 'differential'"),
        ({"engine": "resumed"}, "engine='resumed' violates .*'auto', 'resume', 'batched', 'hooks'"),
        ({"positions": "first"}, "positions='first' violates .*'all', 'last'"),
        ({"seed": -1}, "seed=-1 violates .*seed >= 0"),
        ({"executor": "processes"}, "executor='processes' violates .*Executor"),
        ({"memory_gb": 0}, "memory_gb is 0: expected a number from 1e-09"),
        ({"memory_gb": float("nan")}, "memory_gb is nan"),
        ({"neutral": []}, "at least one text"),
        ({"neutral": [LONG]}, "reads at most 64"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(options, message, monkeypatch, tmp_path):
    model, out = factory.load("gpt2"), tmp_path / "a.parquet"
    monkeypatch.setattr(sweeps, "measure_layer", fail)
    monkeypatch.setattr(Sweeper, "_prepare", fail)
    with (
        model.hooks([("blocks.0.hook_in", fail)]),
        pytest.raises(sna.SNAError, match=message),
    ):
        swept(model, **{"out": out} | options)
    assert not os.listdir(tmp_path)


def test_a_new_method_is_one_entry(monkeypatch):
    """The first neurons, turned round: a choice and a rival of a few lines."""

    def first(readings, task, k, seed):
        return torch.arange(k).expand(readings.model.cfg.n_layers, k)

    def turned(prepared, layer):
        return lambda clean, rows: prepared.scaled(clean, layer, 2 - prepared.factors[rows])

    monkeypatch.setitem(METHODS, "turned", Method(first, turned))
    model, grid = factory.load("gpt2", DOUBLE), sna.Grid([1], [3], [0.5])
    frame = swept(model, grid=grid, method="turned", per_example=True).sort_values("example")
    with sna.amplify(model, sna.Amplification(1, [0, 1, 2], 1.5)):
        expected = sna.measure(model, TASK)
    np.testing.assert_allclose(frame.p_post, expected.p, rtol=1e-9)
    held = sna.contest(model, TASK, grid, methods=["turned"], neutral=NEUTRAL, progress=False)
    assert set(held.method) == {"turned"} and len(held) == len(TASK)
