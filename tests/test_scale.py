"""On a GPU the sweep is what it is on the CPU, and fast; what larger sweeps cost is arithmetic."""

import time

import numpy as np
import pandas as pd
import pytest
import torch

import factory
import scale
import snahelpers as sna
from scale import SHAPES, Speed, makespan, seconds_of_layers

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
LABELS = ["task", "split", "layer", "n_neurons", "multiplier"]
GRID = sna.Grid(counts=(20, 3), multipliers=(2.4, 0.0, 12.0))


@pytest.mark.cuda
@needs_gpu
@pytest.mark.parametrize("family", [*factory.DENSE, "gemma2"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_gpu_gives_what_the_cpu_gives_by_every_engine(family, dtype):
    model = sna.load_model(factory.folder(family), device="cuda", dtype=dtype)
    expected = factory.sweep(factory.load(family, torch.float64), factory.task(), GRID)
    tolerance = 1e-7 if dtype == torch.float64 else 1e-3
    for engine in ("auto", "batched", "hooks"):
        found = factory.sweep(model, factory.task(), GRID, engine=engine)
        pd.testing.assert_frame_equal(found[LABELS], expected[LABELS])
        for name in ("p_base", "p_post", "delta_logodds"):
            np.testing.assert_allclose(found[name], expected[name], rtol=tolerance, atol=tolerance)


def long_task(number):
    """24 prompts of about twelve tokens."""
    words = [word for text in factory.SENTENCES for word in text.strip(".").split()]
    texts = [" ".join((words[number:] + words)[i : i + 11]) for i in range(24)]
    return factory.task(f"task{number}", texts, [" cat", " dog"] * 12)


@pytest.mark.cuda
@needs_gpu
def test_the_whole_grid_at_gpt2_mediums_shape_takes_less_than_a_minute(tmp_path):
    config = dict(n_layer=24, n_embd=1024, n_head=16, vocab_size=50_257, initializer_range=0.02)
    model = sna.load_model(factory.write(tmp_path, "GPT2LMHeadModel", **config), device="cuda")
    tasks, start = [long_task(number) for number in range(12)], time.perf_counter()
    frame = factory.sweep(model, tasks, sna.Grid())
    seconds = time.perf_counter() - start
    print(f"{torch.cuda.get_device_name()}: {len(frame) // 2:,} configurations × 24 prompts")
    assert len(frame) == 2 * 24_192 and seconds < 60, f"{seconds:.1f} s"


def test_workers_take_the_next_piece_as_they_come():
    assert makespan([3, 2, 1], 1) == 6
    assert makespan([3, 2, 1], 2) == 3
    assert makespan([1, 1, 4], 2) == 5  # the long piece last
    assert makespan([5], 64) == 5


def test_shapes_have_as_many_weights_as_their_authors_say():
    told = {"GPT-2 Medium": 0.355e9, "Llama-3-8B": 8.03e9, "Llama-3-70B": 70.6e9}
    for name, n in told.items():
        assert SHAPES[name].n_weights == pytest.approx(n, rel=0.01)


def test_a_page_is_computed(monkeypatch):
    speed = Speed("this CPU", 100.0, "measured")
    monkeypatch.setattr(scale, "measured", lambda name, device: (speed, 1.0))
    monkeypatch.setattr(scale, "matmul_gflops", lambda: 200.0)
    text = scale.page("minnow")
    hours = sum(seconds_of_layers(SHAPES["GPT-2 Medium"], speed) * 12) / 3600
    assert f"| GPT-2 Medium | 12 | this CPU | {hours:,.2f} h |" in text
    assert "| Llama-3-70B | 12 | H100 | does not fit one GPU |" in text
    assert "not measured: 67 TFLOP/s × the share that this CPU reaches, 50 %" in text
