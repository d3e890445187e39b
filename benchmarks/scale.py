"""What whole sweeps of larger models cost, from throughput measured here: writes scale.md.

    python benchmarks/scale.py                 on GPT-2 Medium's shape, else SmolLM2, else minnow
    python benchmarks/scale.py --model minnow  on this model

Measured are the speed of the sweep's engine, of a matrix product and of loading, on the CPU and, if
there is one, on the GPU. All else is arithmetic: operations of each (task, layer) piece of work,
and workers that each take the next piece. What is not measured says so.
"""

import argparse
import heapq
import pickle
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import torch

import snahelpers as sna
from comparison import operations, operations_of_a_pass
from methods import Given
from plans import GRID, LARGEST_COUNT, middles, task
from report import machine, table
from snahelpers.methods import Readings
from snahelpers.sweeps import Sweeper, run_here
from sweep import matmul_gflops

PAGE = Path(__file__).with_name("scale.md")
PROMPTS, LENGTH, CONFIGURATIONS = 24, 12, len(GRID.configurations())
# NVIDIA's data sheet: float32 without tensor cores, which the sweep does not use.
H100, H100_GFLOPS, H100_GB, MANY = "H100", 67_000.0, 80, 64
PASSES_OF_SUGGEST = 10  # a gradient counted as three, baselines, and a look at five layers


@dataclass(frozen=True)
class Shape:
    """A model's sizes, as its authors published them."""

    n_layers: int
    d_model: int
    d_mlp: int
    n_heads: int
    n_key_value_heads: int
    d_vocab: int
    gated_mlp: bool

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads

    @property
    def n_weights(self) -> int:
        keys = self.d_head * self.n_key_value_heads
        block = 2 * self.d_model * (self.d_model + keys)
        block += (3 if self.gated_mlp else 2) * self.d_model * self.d_mlp
        tied = 1 if not self.gated_mlp else 2  # GPT-2 unembeds with its embedding
        return self.n_layers * block + tied * self.d_vocab * self.d_model

    def given(self) -> SimpleNamespace:
        """As `operations` wants it: the shape and the prompts' lengths."""
        prompts = [(None, torch.empty(PROMPTS, LENGTH))]
        model = SimpleNamespace(cfg=self)
        return SimpleNamespace(model=model, groups=prompts, targets=range(PROMPTS))


SHAPES = {
    "GPT-2 Medium": Shape(24, 1024, 4096, 16, 16, 50_257, False),
    "Llama-3-8B": Shape(32, 4096, 14_336, 32, 8, 128_256, True),
    "Llama-3-70B": Shape(80, 8192, 28_672, 64, 8, 128_256, True),
}


@dataclass(frozen=True)
class Speed:
    """What a device does: operations a second of the engine, and how that is known."""

    name: str
    gflops: float
    how: str


def measured(name: str, device: str) -> tuple[Speed, float]:
    """The engine's speed on a model, and the seconds that loading takes for each GB of weights."""
    given, swept = Given(name, task(12, name), LARGEST_COUNT), task(12, name)
    start = time.perf_counter()
    model = sna.load_model(name, device=device)
    size = sum(weights.nbytes for weights in model.parameters()) / 1e9
    loading = (time.perf_counter() - start) / size
    layers = middles(model.cfg.n_layers)
    grid = sna.Grid(layers, GRID.counts, GRID.multipliers)
    sna.sweep(model, swept, sna.Grid(layers, (3,), (2.0,)), progress=False)  # warm
    start = time.perf_counter()
    sna.sweep(model, swept, grid, progress=False)
    seconds = time.perf_counter() - start
    done = operations(given, layers) * len(layers) * CONFIGURATIONS * len(swept)
    where = "this CPU" if device == "cpu" else torch.cuda.get_device_name()
    return Speed(where, done / seconds / 1e9, f"measured on {name}'s shape"), loading


def on_an_h100(cpu: Speed, peak: float) -> Speed:
    share = cpu.gflops / peak
    how = f"not measured: {H100_GFLOPS / 1000:.0f} TFLOP/s × the share that this CPU reaches"
    return Speed(H100, H100_GFLOPS * share, f"{how}, {100 * share:.0f} %")


def seconds_of_layers(shape: Shape, speed: Speed) -> list[float]:
    """What one task takes at each layer: all configurations and prompts."""
    work = CONFIGURATIONS * PROMPTS / speed.gflops / 1e9
    return [operations(shape.given(), [layer]) * work for layer in range(shape.n_layers)]


def makespan(pieces: list[float], workers: int) -> float:
    """When the last worker has finished, each taking the next piece as it comes."""
    free = [0.0] * workers
    for piece in pieces:
        heapq.heapreplace(free, free[0] + piece)
    return max(free)


def costs(speeds: list[tuple[Speed, int]], loading: float) -> list[list[str]]:
    rows = []
    for name, shape in SHAPES.items():
        gigabytes = 4 * shape.n_weights / 1e9
        for n_tasks in (12, 1000):
            for speed, workers in speeds:
                pieces = seconds_of_layers(shape, speed) * n_tasks
                hours = (makespan(pieces, workers) + loading * gigabytes) / 3600
                fits = "CPU" in speed.name or gigabytes + 1 < H100_GB
                told = f"{hours:,.2f} h" if hours < 100 else f"{hours / 24:,.0f} days"
                of = f"{workers} × {speed.name}" if workers > 1 else speed.name
                rows.append([name, f"{n_tasks:,}", of, told if fits else "does not fit one GPU"])
    return rows


def where_time_goes() -> list[list[str]]:
    """Shares of the operations of a whole sweep, and what `suggest` needs of them."""
    rows = []
    for name, shape in SHAPES.items():
        given, layers = shape.given(), list(range(shape.n_layers))
        mean, whole = operations(given, layers), operations_of_a_pass(given)
        unembedding = 2 * shape.d_model * shape.d_vocab / mean
        sweep = mean * shape.n_layers * CONFIGURATIONS
        row = [f"{mean / whole:.2f}", f"{100 * unembedding:.0f} %"]
        suggested = PASSES_OF_SUGGEST * whole
        rows.append([name, *row, f"{100 / CONFIGURATIONS:.1f} %", f"{sweep / suggested:,.0f}"])
    return rows


def moved_and_stored() -> list[list[str]]:
    """Bytes of a piece of work as it is sent, sent back and stored; on minnow, as on any model."""
    model, one = sna.load_model("minnow"), task()
    sweeper, asked = Sweeper(Readings(model, None, "all"), one), dict(method="differential", seed=0)
    piece = sweeper._order(None), sweeper.options, asked, (one, sna.Grid(layers=[6]))
    sent = len(pickle.dumps((run_here, *piece)))
    frame = sna.sweep(model, one, sna.Grid(layers=[6]), progress=False)
    with TemporaryDirectory() as folder:
        frame.to_parquet(Path(folder) / "part.parquet")
        stored = (Path(folder) / "part.parquet").stat().st_size
    back, rows = len(pickle.dumps(frame)), []
    for name, shape in SHAPES.items():
        for n_tasks in (12, 1000):
            n = n_tasks * shape.n_layers
            sizes = [f"{n * each / 1e6:,.0f} MB" for each in (sent, back, stored)]
            rows.append([name, f"{n_tasks:,}", f"{n:,}", *sizes])
    return rows


def page(name: str) -> str:
    cpu, loading = measured(name, "cpu")
    peak = matmul_gflops()
    gpu = measured(name, "cuda")[0] if torch.cuda.is_available() else on_an_h100(cpu, peak)
    speeds = [(cpu, 1), (gpu, 1), (gpu, MANY)]
    shapes = [
        [n, f"{s.n_weights / 1e9:.2f} billion", f"{4 * s.n_weights / 1e9:,.1f} GB"]
        for n, s in SHAPES.items()
    ]
    sections = {
        "": f"Written by `python benchmarks/scale.py`. {machine(peak)}\n\nTasks of {PROMPTS} "
        f"prompts of {LENGTH} tokens with answers of one token, the paper's grid of "
        f"{CONFIGURATIONS} configurations a layer, float32. Loading takes {loading:.1f} s for each "
        "GB of weights. A GPU must hold the whole model: the course does not cut one in pieces.",
        "Speed of the engine": table(
            ["device", "GFLOP/s", "how it is known"],
            [[speed.name, f"{speed.gflops:,.0f}", speed.how] for speed in (cpu, gpu)],
        ),
        "The models": table(["model", "weights", "in float32"], shapes),
        "How long a whole sweep takes": table(
            ["model", "tasks", "device", "time"], costs(speeds, loading)
        ),
        "Where the time goes": table(
            [
                "model",
                "a configuration, of a whole pass (mean over layers)",
                "of it the unembedding",
                "clean passes, at most",
                "times as much as `suggest`",
            ],
            where_time_goes(),
        ),
        "What is moved and stored": table(
            ["model", "tasks", "pieces of work", "sent", "sent back", "stored"], moved_and_stored()
        ),
    }
    text = "\n\n".join(
        f"## {title}\n\n{body}" if title else body for title, body in sections.items()
    )
    return f"# What larger sweeps cost\n\n{text}\n"


def first_there() -> str:
    for name in ("gpt2-medium", "smollm2"):
        try:
            sna.load_model(name, device="cpu")
        except sna.ModelError as error:
            print(f"{name} is left out: {error}")
        else:
            return name
    return "minnow"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="on whose shape the speed is measured")
    text = page(parser.parse_args().model or first_there())
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
