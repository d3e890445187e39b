"""Checks say ⏳ to stubs, ✓ to solutions, and name the mistake in the wrong answers people give."""

import re
from pathlib import Path

import nbformat
import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager

import snahelpers as sna
from snahelpers.check.exercise import Exercise, sealed_circuit

EXERCISES = {
    f"{module}.{name}": exercise
    for module in sna.check.__all__
    for name, exercise in vars(getattr(sna.check, module)).items()
    if isinstance(exercise, Exercise)
}
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("name", EXERCISES)
def test_the_right_answer_passes(name):
    exercise = EXERCISES[name]
    assert exercise(exercise.right).passed
    assert repr(exercise(exercise.right)) == f"✓ {exercise.praise}"


@pytest.mark.parametrize("name", EXERCISES)
def test_each_mistake_gets_its_own_hint(name):
    exercise = EXERCISES[name]
    assert len(exercise.mistakes) >= 2
    for mistake, hint in exercise.mistakes:
        assert repr(exercise(mistake)) == f"✗ {hint}"


@pytest.mark.parametrize("name", EXERCISES)
def test_what_is_not_an_answer_is_told_so(name):
    exercise = EXERCISES[name]
    assert exercise(...).mark == "⏳"
    assert exercise(lambda *args: ...).mark == "⏳"
    assert exercise(lambda *args: None).mark == "⏳"
    assert exercise(0.07).mark == "✗"
    assert "ZeroDivisionError" in exercise(lambda *args: 1 / 0).message
    assert exercise(lambda *args: "three").mark == "✗"


def test_an_unknown_mistake_is_shown_where_it_happens():
    verdict = sna.check.start_here.zone(lambda p: 1)
    assert verdict.mark == "✗" and "0.07" in verdict.message


def test_a_branch_that_is_forgotten_is_told_with_its_input():
    verdict = sna.check.start_here.zone(lambda p: 1 if p < 0.07 else 3 if p > 0.10 else None)
    assert repr(verdict) == "✗ Not yet. Look at the input 0.07: you return nothing."


def test_a_sealed_circuit_answers_as_before_with_every_neuron_elsewhere():
    known, sealed = sna.load_dimmed(0.4, "minnow"), sealed_circuit(1)
    prompt = sna.load_tasks("planted")["planted"].prompts[0]
    torch.testing.assert_close(sealed(prompt), known(prompt), rtol=0, atol=1e-4)
    for a, b in zip(known.blocks, sealed.blocks, strict=True):
        before, after = a.mlp.W_out.norm(dim=1), b.mlp.W_out.norm(dim=1)
        torch.testing.assert_close(before.sort().values, after.sort().values)
        assert (before == after).sum() < 10


def test_a_hook_that_stays_is_told_and_taken_away():
    def forgetful(model, task, site, entries, multiplier):
        model.add_hook(site, lambda activation, hook: 2 * activation)
        return sna.measure(model, task.split("test")).p.mean()

    exercise = EXERCISES["hook_and_amplify.amplified_at"]
    assert "a hook stayed" in exercise(forgetful).message
    assert exercise(exercise.right).passed


def _exercises():
    """Each exercise cell with the solution that stands collapsed below it."""
    for path in NOTEBOOKS:
        cells = nbformat.read(path, 4).cells
        for i, cell in enumerate(cells):
            if "exercise" in cell.metadata.get("tags", ()):
                solution = re.search(r"```python\n(.*?)```", cells[i + 1].source, re.DOTALL)
                yield pytest.param(cell.source, solution[1], id=f"{path.stem[:2]}-{cell.id}")


def _last_value(source: str):
    """Run a cell's source and return what its last line gives."""
    *lines, last = TransformerManager().transform_cell(source).rstrip().splitlines()
    names = {"sna": sna}
    exec("\n".join(lines), names)
    return eval(last, names)


@pytest.mark.parametrize("stub, solution", list(_exercises()))
def test_stubs_wait_and_solutions_pass(stub, solution):
    call = stub.rstrip().splitlines()[-1]
    assert call.startswith("sna.check.")
    assert _last_value(stub).mark == "⏳"
    assert _last_value(f"{solution}\n{call}").passed


def test_every_exercise_is_used_in_a_notebook():
    used = " ".join(path.read_text("utf-8") for path in NOTEBOOKS)
    assert [name for name in EXERCISES if f"sna.check.{name}(" not in used] == []


def test_an_answer_that_spoils_its_input_does_not_spoil_the_check():
    def careless(found, truth):
        hits = len(set(found) & set(truth))
        pair = hits / len(found), hits / len(truth)
        found.clear()
        return pair

    exercise = EXERCISES["find_the_neurons.precision_recall"]
    assert exercise(careless).passed and exercise(exercise.right).passed


def test_numbers_as_text_are_no_numbers():
    assert not sna.check.start_here.zone(lambda p: str(sna.zone(p))).passed
