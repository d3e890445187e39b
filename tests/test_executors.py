"""Any executor gives the rows of the serial sweep, whoever measures them and whoever dies."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import torch

import factory
import snahelpers as sna

GRID = sna.Grid(counts=(3, 5), multipliers=(1.5, 2.4))
TASKS = [factory.task(), factory.task("other", factory.PROMPTS[::-1], factory.TARGETS[::-1])]
# Started anew, and where there is a server that forks them, after one import for all.
SERVED = "forkserver" in multiprocessing.get_all_start_methods()
START = multiprocessing.get_context("forkserver" if SERVED else "spawn")
LABELS = ["model", "task", "split", "method", "layer", "n_neurons", "multiplier"]


def swept(executor=None, model=None, tasks=TASKS, **options):
    model = model or factory.load("gpt2")
    return factory.sweep(model, tasks, GRID, executor=executor, **options)


def assert_same(frame, expected):
    """The same rows in the same order; other numbers of threads move the last digits."""
    pd.testing.assert_frame_equal(frame[LABELS], expected[LABELS])
    pd.testing.assert_frame_equal(frame, expected, check_exact=False, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def serial():
    return swept()


@pytest.fixture(scope="module")
def pool():
    """Two processes, each with one of two threads."""
    if SERVED:
        START.set_forkserver_preload(["snahelpers"])
    with ProcessPoolExecutor(2, mp_context=START) as executor:
        yield executor


@pytest.fixture(scope="module")
def client():
    """Two Dask workers, processes of their own that speak over TCP."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, host="tcp://127.0.0.1", dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        assert all(address.startswith("tcp://127.0.0.1") for address in client.nthreads())
        yield client


def test_processes_give_the_serial_frame(pool, serial):
    assert_same(swept(pool), serial)
    options = {"per_example": True, "split": "test", "method": "matched", "seed": 2}
    assert_same(swept(pool, **options), swept(**options))


def test_dask_gives_the_serial_frame_and_contest(client, serial):
    executor = client.get_executor()
    assert_same(swept(executor), serial)
    options = dict(methods=["differential", "random"], draws=2, neutral=factory.SENTENCES)
    held = [
        sna.contest(factory.load("gpt2"), TASKS, GRID, executor=e, progress=False, **options)
        for e in (executor, None)
    ]
    assert_same(*held)


def test_a_thread_at_a_time_runs_in_a_process(serial):
    """Dask's workers may have several threads, and hooks are on the model that they share."""
    with ThreadPoolExecutor(3) as executor:
        assert_same(swept(executor), serial)


def test_a_dimmed_model_is_dimmed_again(pool):
    [task] = sna.load_tasks("planted").values()
    model, few = sna.load_dimmed(0.4), sna.few({"planted": task}, 2)["planted"]
    options = dict(neutral=["The cat sat."], progress=False)
    frames = [
        sna.sweep(model, few, sna.Grid([7], [3], [2.4]), executor=e, **options)
        for e in (pool, None)
    ]
    assert_same(*frames)


class Recorded(Executor):
    """Runs so many pieces of work, at once and in this process, and is gone then."""

    def __init__(self, n=1000):
        self.n, self.asked = n, []

    def submit(self, function, /, *given):
        future = Future()
        self.asked.append(given)
        if len(self.asked) > self.n:
            future.set_exception(ConnectionError("gone"))
        else:
            future.set_result(function(*given))
        return future


def test_one_task_and_layer_at_a_time_and_resumed_by_another(pool, serial, tmp_path):
    out = tmp_path / "a.parquet"
    for n, asked in ((2, 6), (0, 4)):
        recorded = Recorded(n)
        with pytest.raises(sna.SNAError, match=r"A worker stopped \(ConnectionError: gone\)"):
            swept(recorded, out=out)
        done = {file.stem for file in Path(f"{out}.parts").glob("*.parquet")}
        assert done == {"task000-layer000", "task000-layer001"}
        names = [(task.name, *grid.layers) for [(task, grid)] in recorded.asked]
        every = [(task.name, layer) for task in TASKS for layer in range(3)]
        assert names == every[-asked:]
    assert_same(swept(pool, out=out), serial)
    assert os.listdir(tmp_path) == ["a.parquet"]


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(Executor):
    """An executor of which the third piece of work kills its worker, once."""

    def __init__(self, executor):
        self.executor, self.submitted = executor, 0

    def submit(self, function, /, *given):
        self.submitted += 1
        return self.executor.submit(die if self.submitted == 3 else function, *given)


def test_a_killed_process_is_one_error_and_the_same_call_goes_on(pool, serial, tmp_path):
    out = tmp_path / "a.parquet"
    with ProcessPoolExecutor(1, mp_context=START) as broken:
        with pytest.raises(sna.SNAError, match=r"A worker stopped \(BrokenProcessPool.*same call"):
            swept(Deadly(broken), out=out)
        with pytest.raises(sna.SNAError, match=r"A worker stopped"):  # a pool stays broken
            swept(broken, out=out)
    assert len(list(Path(f"{out}.parts").glob("*.parquet"))) == 2
    assert_same(swept(pool, out=out), serial)


def test_dask_finishes_although_a_worker_is_killed(client, serial):
    """Its nanny starts another one, and Dask gives it the work."""

    class Killing(Executor):
        def submit(self, function, /, *given):
            [(task, grid)] = given
            if task.name == "other" and grid.layers == (0,):
                [pid, _] = client.run(os.getpid).values()
                os.kill(pid, signal.SIGKILL)
            return client.get_executor(pure=False).submit(function, *given)

    assert_same(swept(Killing()), serial)


def a_model_in(folder):
    factory.write(folder, *factory.FAMILIES["gpt2"][:1], **factory.FAMILIES["gpt2"][1])
    return sna.load_model(folder, device="cpu")


def test_a_worker_that_cannot_load_the_model_is_one_clear_error(pool, serial, tmp_path):
    # Each in a folder of its own: a slow worker may still be busy with the first.
    folder, out = tmp_path / "model", tmp_path / "a.parquet"
    model = a_model_in(folder)
    (folder / "config.json").unlink()  # as on a machine without that folder
    with pytest.raises(sna.SNAError, match=r"A worker stopped \(ModelError.*config.json is miss"):
        swept(pool, model, out=out)
    folder = tmp_path / "again" / "model"
    model = a_model_in(folder)
    torch.manual_seed(1)
    other = dict(factory.FAMILIES["gpt2"][1], initializer_range=0.3)
    factory.write(folder, "GPT2LMHeadModel", **other)  # another model by the same name
    with pytest.raises(sna.SNAError, match=r"A worker has another model under the name of model"):
        swept(pool, model)


def test_what_workers_cannot_have_is_refused_before_the_start(monkeypatch):
    edited, recorded = sna.load_model(factory.folder("gpt2"), device="cpu"), Recorded()
    edited.blocks[1].mlp.out.original_component.weight[77, 11] += 0.5
    with pytest.raises(sna.ModelError, match=r"Workers cannot load gpt2.*changed after"):
        swept(recorded, edited)
    model = factory.load("gpt2")
    with (
        sna.amplify(model, sna.Amplification(0, [1], 2.0)),
        pytest.raises(sna.ModelError, match=r"Workers cannot load gpt2"),
    ):
        swept(recorded)
    forked = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    with forked, pytest.raises(sna.SNAError, match=r"forked.*get_context..spawn"):
        swept(forked)
    with pytest.raises(sna.DataError, match=r"executor=.* violates .*Executor"):
        swept("processes")
    assert not recorded.asked


PAGE = Path(__file__).resolve().parents[1] / "docs" / "executors.md"
EXAMPLES = re.findall(r"^## (.+?)$.*?```python\n(.+?)```", PAGE.read_text("utf-8"), re.S | re.M)


@pytest.mark.parametrize("title", ["Processes on this computer", "Dask: several machines"])
def test_the_documented_examples_run(title, tmp_path):
    script = tmp_path / "example.py"
    script.write_text(dict(EXAMPLES)[title], encoding="utf-8")
    here = os.environ | {"PYTHONPATH": str(PAGE.parents[1])}
    command, options = [sys.executable, script.name], {"capture_output": True, "text": True}
    done = subprocess.run(command, cwd=tmp_path, env=here, timeout=300, **options)
    assert done.returncode == 0, done.stderr
    grid = sna.Grid(layers=(6, 7), counts=(10,), multipliers=(1.5, 2.4))
    expected = sna.sweep(sna.load_model("minnow"), "maths_easy", grid, progress=False)
    assert_same(pd.read_parquet(tmp_path / "table.parquet"), expected)
