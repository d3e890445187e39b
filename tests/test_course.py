"""What notebooks run on: the whole of minnow, a part of another model unless all is asked for."""

import pytest

import factory
import snahelpers as sna


def test_setup_says_what_runs(capsys, monkeypatch):
    monkeypatch.setenv("SNA_MODEL", "gpt2")
    sna.setup()
    said = capsys.readouterr().out
    assert "snahelpers" in said and "transformer-lens 4" in said and "default model gpt2" in said


def test_minnow_comes_whole_with_what_was_measured_on_it(monkeypatch, capsys):
    monkeypatch.delenv("SNA_MODEL", raising=False)
    course, grid = sna.load_course(), sna.Grid()
    assert course.tasks == sna.load_tasks() and course.neutral == sna.load_neutral()
    assert course.grid(grid) == grid
    assert set(course.shipped().task) == set(course.tasks)
    assert "draw" in course.shipped("matched")
    assert course.planted_in == "minnow"
    assert "minnow: 2" in capsys.readouterr().out


@pytest.fixture
def another(monkeypatch):
    monkeypatch.setenv("SNA_MODEL", str(factory.folder("llama")))


def test_another_model_gets_a_few_english_prompts_and_three_layers(another, capsys):
    course = sna.load_course()
    english = sna.load_tasks("english")
    assert list(course.tasks) == list(english)
    assert course.tasks["maths_easy"].examples[0] == english["maths_easy"].examples[0]
    assert {len(task) for task in course.tasks.values()} == {4}
    assert len(course.grid(sna.Grid()).layers) == min(3, course.model.cfg.n_layers)
    assert course.shipped() is None
    assert course.planted_in == "minnow"
    assert "SNA_FULL=1 takes all" in capsys.readouterr().out


def test_all_of_it_on_demand(another, monkeypatch, capsys):
    monkeypatch.setenv("SNA_FULL", "1")
    course = sna.load_course()
    assert course.tasks == sna.load_tasks("english")
    assert course.neutral == sna.load_neutral("english")
    assert course.grid(sna.Grid()) == sna.Grid()
    assert "part" not in capsys.readouterr().out
