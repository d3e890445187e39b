"""Finished work is never lost, never mixed up, and says how it was made."""

import errno
import json
import threading
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import factory
import snahelpers as sna
from snahelpers import files, sweeps
from snahelpers.files import Results

GRID = sna.Grid(counts=(3, 5), multipliers=(1.5, 2.4))
TASK = factory.task()


def swept(out=None, tasks=TASK, model="gpt2", **options):
    return factory.sweep(factory.load(model), tasks, GRID, out=out, **options)


def fail(*_, **__):
    raise AssertionError("nothing must be measured")


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """The file of a sweep that was stopped when two of three parts were finished."""
    write = Results.write

    def stop(self, frame, part=""):
        if part.endswith("layer002"):
            raise KeyboardInterrupt
        write(self, frame, part)

    with monkeypatch.context() as patched:
        patched.setattr(Results, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            swept(tmp_path / "a.parquet")
    assert len(list((tmp_path / "a.parquet.parts").glob("*.parquet"))) == 2
    return tmp_path / "a.parquet"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flip(file: Path) -> None:
    """One bit of the numbers, which only a checksum shows."""
    column = pq.ParquetFile(file).metadata.row_group(0).column(10)
    raw = bytearray(file.read_bytes())
    raw[column.data_page_offset + column.total_compressed_size - 3] ^= 1
    file.write_bytes(raw)


def lose_rows(file: Path) -> None:
    pd.read_parquet(file)[:-1].to_parquet(file, index=False)


DAMAGES = {
    "cut": cut,
    "flipped": flip,
    "rows lost": lose_rows,
    "empty": lambda file: file.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_measured_again_with_a_line(damage, stopped, monkeypatch, capsys):
    DAMAGES[damage](stopped.with_name("a.parquet.parts") / "task000-layer001.parquet")
    measured, measure = [], sweeps.measure_layer
    monkeypatch.setattr(
        sweeps, "measure_layer", lambda *given: measured.append(given[3]) or measure(*given)
    )
    frame = swept(stopped)
    [line] = capsys.readouterr().out.splitlines()
    assert "task000-layer001.parquet" in line and "measured again" in line
    assert measured == [1, 2]
    pd.testing.assert_frame_equal(frame, swept(), check_exact=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_whole_is_told_and_left_alone(damage, tmp_path, monkeypatch):
    out = tmp_path / "a.parquet"
    swept(out)
    DAMAGES[damage](out)
    before = out.read_bytes()
    monkeypatch.setattr(sweeps, "measure_layer", fail)
    with pytest.raises(
        sna.DataError, match=r"cannot be read as parquet|23 rows instead of 24"
    ) as e:
        swept(out)
    assert "left as it is" in str(e.value) and out.read_bytes() == before


def test_a_second_process_is_told_at_once_and_may_come_back(tmp_path, monkeypatch):
    """Locks are of open files, so that a thread stands for a process."""
    out, begun, go_on = tmp_path / "a.parquet", threading.Event(), threading.Event()
    measure, frames = sweeps.measure_layer, []

    def wait(*given):
        begun.set()
        assert go_on.wait(60)
        return measure(*given)

    monkeypatch.setattr(sweeps, "measure_layer", wait)
    first = threading.Thread(target=lambda: frames.append(swept(out)))
    first.start()
    assert begun.wait(60)
    with pytest.raises(
        sna.DataError, match=r"a.parquet cannot be written \(.*lock.*another process is measuring"
    ):
        swept(out)
    go_on.set()
    first.join()
    pd.testing.assert_frame_equal(swept(out), frames[0], check_exact=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


def test_a_full_disk_is_told_with_the_path(stopped, monkeypatch):
    def full(self, file, **options):
        Path(file).write_bytes(b"PAR1")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pd.DataFrame, "to_parquet", full)
        with pytest.raises(
            sna.DataError, match=r"a.parquet cannot be written \(.*No space left.*make room"
        ) as e:
            swept(stopped)
    assert "Finished parts are kept" in str(e.value)
    parts = {file.name for file in stopped.with_name("a.parquet.parts").glob("*.parquet")}
    assert parts == {"task000-layer000.parquet", "task000-layer001.parquet"}
    pd.testing.assert_frame_equal(swept(stopped), swept(), check_exact=True)


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_runs(monkeypatch, tmp_path):
    def refused(self, **_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(sweeps, "measure_layer", fail)
    monkeypatch.setattr(Path, "mkdir", refused)  # the tests may run as root, who may write anywhere
    with pytest.raises(sna.DataError, match=r"a.parquet cannot be written \(.*Permission denied"):
        swept(tmp_path / "a.parquet")


# How a table was made


def test_a_table_says_how_it_was_made(tmp_path, capsys):
    out = tmp_path / "a.parquet"
    frame = swept(out, seed=3)
    metadata = pq.ParquetFile(out).schema_arrow.metadata
    known = json.loads(metadata[b"PANDAS_ATTRS"])
    assert known == pd.read_parquet(out).attrs == sna.read_results(out).attrs
    assert {"weights", "tokenizer", "tasks", "neutral", "multipliers", "dtype"} <= known.keys()
    assert known["seed"] == 3 and known["model"] == "gpt2" and known["counts"] == [3, 5]
    [made] = known["made_with"]
    assert made["torch"] == __import__("torch").__version__ and made["device"] == "cpu"
    assert made["engine"] == "resume" and made["snahelpers"]
    shown = capsys.readouterr().out
    assert "a.parquet: 24 rows" in shown and made["torch"] in shown and known["weights"] in shown
    assert frame.attrs["made_with"] == known["made_with"]


def test_tables_that_belong_together_are_put_together(tmp_path):
    paths = [tmp_path / f"{name}.parquet" for name in "abc"]
    frames = [
        swept(paths[0], method="matched", seed=0),
        swept(paths[1], method="matched", seed=1),
        swept(paths[2], split="test"),
    ]
    table = sna.read_results(*paths)
    draws = [frame.assign(draw=draw) for frame, draw in zip(frames, (0, 1, 0), strict=True)]
    pd.testing.assert_frame_equal(table, pd.concat(draws, ignore_index=True), check_exact=True)


OTHER = factory.task(targets=[*factory.TARGETS[:-1], " red"])


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"model": "neox"}, "weights"),
        ({"tasks": OTHER}, "tasks"),
        ({"neutral": factory.SENTENCES[:-1]}, "neutral"),
        ({"positions": "last"}, "positions"),
        ({"per_example": True}, "per_example"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(options, fact, tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    swept(paths[0])
    swept(paths[1], **options)
    with pytest.raises(sna.DataError, match=f"do not belong together: {fact} is"):
        sna.read_results(*paths)


def test_what_ships_is_read_and_not_mixed(capsys):
    first, second = (
        sna.data_path("results", f"{name}.parquet") for name in ("minnow", "minnow-seeds")
    )
    pd.testing.assert_frame_equal(sna.read_results(first), pd.read_parquet(first))
    assert "does not say how it was made" in capsys.readouterr().out
    with pytest.raises(sna.DataError, match=r"do not belong together: weights is"):
        sna.read_results(first, second)
    with pytest.raises(sna.DataError, match=r"nowhere.parquet cannot be read"):
        sna.read_results("nowhere.parquet")


def test_files_of_a_release_before_go_on(stopped):
    """They say neither their tokenizer nor how they were made."""
    for file in stopped.with_name("a.parquet.parts").glob("*.parquet"):
        part = pd.read_parquet(file)
        for name in ("tokenizer", files.MADE_WITH):
            del part.attrs[name]
        part.to_parquet(file, index=False)
    pd.testing.assert_frame_equal(swept(stopped), swept(), check_exact=True)
