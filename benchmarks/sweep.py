"""The sweep of a layer by six methods, side by side; `make bench` runs it.

    python benchmarks/sweep.py            four models, into benchmarks/README.md (20 minutes)
    python benchmarks/sweep.py --quick    a smoke test: minnow alone, too little of everything, and
                                          nothing is written

Hub models are looked for where Hugging Face looks (HF_HOME). If HF_HOME is not set and
../shared/make_hub_cache.py is there, it makes a cache of random weights that is removed at the end.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from transformers.utils import logging as transformers_logging

import snahelpers as sna
from comparison import ALL, Comparison, compare
from memory import PROCESS, peak_megabytes
from methods import Given
from plans import GRID, LARGEST_COUNT, PLANS, QUICK, shorter, task
from report import as_markdown, write

CACHE_MAKER = Path(__file__).resolve().parents[2] / "shared" / "make_hub_cache.py"
ON_GPU = "gpt2-medium"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test; writes nothing")
    quick = parser.parse_args().quick
    if not quick and "HF_HOME" not in os.environ and CACHE_MAKER.is_file():
        sys.exit(run_again_with_cache())
    transformers_logging.disable_progress_bar()
    peak, comparisons = matmul_gflops(), []
    for name, plan in {"minnow": QUICK}.items() if quick else PLANS.items():
        try:
            given = Given(name, task(2 if quick else 12, name), LARGEST_COUNT)
        except sna.ModelError as error:
            print(f"{name} is left out: {error}")
            continue
        comparisons.append(compare(given, plan))
        peak = max(peak, matmul_gflops())  # the machine may have been busier before
    memory = peak_memory(comparisons[-1]) if PROCESS.is_dir() else {}
    results = as_markdown(comparisons, peak, memory, growth(4 if quick else 12), sweep_on_gpu())
    print(results)
    if not quick:
        write(results)


def run_again_with_cache() -> int:
    """This script once more, in a process whose Hugging Face cache holds random weights."""
    with tempfile.TemporaryDirectory() as cache:
        hub_models = [name for name in PLANS if name not in ("minnow", "smollm2")]
        maker = [sys.executable, CACHE_MAKER, "--cache", cache, *hub_models]
        subprocess.run(maker, check=True)
        environment = os.environ | {"HF_HOME": cache, "HF_HUB_OFFLINE": "1"}
        return subprocess.run([sys.executable, *sys.argv], env=environment).returncode


def matmul_gflops() -> float:
    """The best of some square float32 products: what this machine gives with these threads."""
    rates = []
    for n in (1024, 2048, 4096):
        a, b = torch.randn(n, n), torch.randn(n, n)
        for _ in range(5):
            start = time.perf_counter()
            torch.mm(a, b)
            rates.append(2 * n**3 / (time.perf_counter() - start) / 1e9)
    return max(rates)


def peak_memory(found: Comparison) -> dict[str, float]:
    """Megabytes beside the model by method, and of the raw hook with all in one batch."""
    used, every = {}, len(GRID.configurations())
    for label in found.times:
        print(f"{found.name}: memory of {label}", flush=True)
        count = 1 if label.startswith("plain") else every if found.best_at_once == ALL else 40
        used[label] = peak_megabytes(found.name, label, found.best_at_once, count)
    fused = "raw Hugging Face hook, GELU fused"
    used[f"{fused}, all in one batch"] = peak_megabytes(found.name, fused, ALL, every)
    return used


def growth(largest: int) -> pd.DataFrame:
    """Seconds of whole calls of `sna.sweep` on minnow, by how much is swept."""
    model, rows = sna.load_model("minnow", device="cpu"), []
    full = dict(layers=largest, multipliers=largest, examples=largest)
    for part in full:
        for share in (4, 2, 1):
            size = full | {part: largest // share}
            grid = sna.Grid(
                layers=range(0, model.cfg.n_layers, model.cfg.n_layers // size["layers"]),
                multipliers=GRID.multipliers[: size["multipliers"]],
            )
            swept = task(size["examples"])
            start = time.perf_counter()
            sna.sweep(model, swept, grid, engine="resume", progress=False)
            row = dict(layers=len(grid.layers), configurations=len(grid.configurations()))
            row |= dict(prompts=len(swept), seconds=time.perf_counter() - start)
            rows.append(row)
    return pd.DataFrame(rows)


def sweep_on_gpu() -> str:
    """The paper's whole sweep on a GPU, as one sentence, which also says if there is none."""
    if not torch.cuda.is_available():
        return "This machine has no CUDA GPU, so the whole sweep on one was not timed."
    try:
        model = sna.load_model(ON_GPU, device="cuda")
    except sna.ModelError:
        return f"{ON_GPU} could not be had, so the whole sweep on the GPU was not timed."
    tasks = [shorter(whole, 10) for whole in sna.load_tasks().values()]
    start = time.perf_counter()
    frame = sna.sweep(model, tasks)  # one row a configuration and split
    seconds = time.perf_counter() - start
    return (
        f"{torch.cuda.get_device_name()}: {len(frame) // 2:,} configurations of {ON_GPU}, 20 "
        f"prompts each, by one call of `sna.sweep` in {model.cfg.dtype}: {seconds:,.0f} s."
    )


if __name__ == "__main__":
    main()
