"""The benchmark's methods give the same answers; how fast they are is `make bench`'s business."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import factory
import report
import snahelpers as sna
from comparison import operations
from methods import METHODS, Given, Ours
from plans import GRID, configurations, middles

LAYER, CONFIGURATIONS = 1, [(2, 1.5), (5, 2.4)]
HERE = Path(__file__).parent


def given():
    return Given(str(factory.folder("gpt2")), factory.task(), largest_count=5)


def assert_like_hooks(label):
    """Against a loop that amplifies and measures as the course does everywhere else."""
    case = given()
    reference = METHODS["plain loop, one prompt"](case).p(LAYER, CONFIGURATIONS)
    p = METHODS[label](case).p(LAYER, CONFIGURATIONS)
    torch.testing.assert_close(p.float(), reference, rtol=1e-3, atol=0)


def test_the_plain_loop_amplifies():
    case = given()
    p = METHODS["plain loop, one prompt"](case).p(LAYER, CONFIGURATIONS)
    for row, (count, multiplier) in zip(p, CONFIGURATIONS, strict=True):
        amplification = sna.Amplification(LAYER, case.neurons[LAYER, :count], multiplier)
        with sna.amplify(case.model, amplification):
            expected = torch.tensor(sna.measure(case.model, case.job.task).p.to_numpy())
        torch.testing.assert_close(row, expected.float(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("label", [label for label in METHODS if label != "nnsight"])
def test_every_method_gives_the_same_probabilities(label):
    assert_like_hooks(label)


@pytest.mark.skipif(find_spec("nnsight") is None, reason="nnsight comes with `make bench`")
def test_nnsight_gives_the_same_probabilities():
    # In a process of its own: importing nnsight gives every object in Python a method `save`.
    paths = [str(HERE), *sys.path]
    code = f"import sys; sys.path[:0] = {paths}; import test_benchmarks as t; "
    code += "t.assert_like_hooks('nnsight')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def shape(group):
    return group[1].shape


def test_operations_are_those_that_run():
    case = given()
    ours = Ours(case)
    ours.p(0, [(1, 2.4)])  # makes the clean pass, which is not counted
    with FlopCounterMode(display=False) as counter:
        ours.p(0, [(1, 2.4)])
    tokens = sum(tokens.numel() for _, tokens in case.groups)
    forming_deltas = 2 * tokens * case.neurons.shape[1] * case.model.cfg.d_model
    expected = operations(case, [0]) * len(case.targets) + forming_deltas
    # Torch's counter does not know the CPU's fused attention.
    cfg = case.model.cfg
    scores = sum(4 * cfg.d_model * n * length**2 for n, length in map(shape, case.groups))
    expected -= (cfg.n_layers - 1) * scores
    assert counter.get_total_flops() == pytest.approx(expected)


@pytest.mark.parametrize("n_layers", [12, 24, 36])
def test_the_timed_layers_are_as_deep_as_all_layers_on_average(n_layers):
    layers = middles(n_layers)
    assert sum(layers) / len(layers) == (n_layers - 1) / 2
    assert len(set(layers)) == 4 and set(layers) <= set(range(n_layers))


def test_fewer_configurations_are_among_more():
    assert configurations(1) == [max(GRID.configurations())]
    assert set(configurations(5)) < set(configurations(12)) < set(configurations(84))
    assert configurations(84) == GRID.configurations()


def test_results_go_between_the_markers_and_nowhere_else(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- lab -->\nb\n<!-- /lab -->\nc\n", encoding="utf-8")
    monkeypatch.setattr(report, "README", readme)
    report.write("new", "lab")
    report.write("newer", "lab")
    expected = "a\n<!-- lab -->\nnewer\n<!-- /lab -->\nc\n"
    assert readme.read_text(encoding="utf-8") == expected
