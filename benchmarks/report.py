"""The benchmark's results as Markdown, and their place in benchmarks/README.md."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import torch

from comparison import ALL, Comparison
from methods import METHODS

README = Path(__file__).with_name("README.md")
PACKAGES = ("torch", "transformers", "transformer-lens", "nnsight")


def write(results: str, part: str = "results") -> None:
    """Put the results between the README's markers of that name."""
    start, end = f"<!-- {part} -->", f"<!-- /{part} -->"
    text = README.read_text(encoding="utf-8")
    before, after = text[: text.index(start)], text[text.index(end) :]
    README.write_text(f"{before}{start}\n{results}\n{after}", encoding="utf-8")


def as_markdown(
    comparisons: list[Comparison], peak: float, memory: dict[str, float], growth: pd.DataFrame,
    on_gpu: str,
) -> str:  # fmt: skip
    of_memory = f"Peak memory beside the model, {comparisons[-1].name} (MB)"
    sections = {
        "Machine": machine(peak),
        "Milliseconds per configuration and prompt (times as long as ours)": times(comparisons),
        "What was timed, and do the methods agree": timed(comparisons),
        "The raw hook by tokens in its batch (ms per configuration and prompt)": at_once(
            comparisons
        ),
        "Share of the matrix peak that ours reaches": shares(comparisons, peak),
        of_memory: table(["method", "MB"], [[m, f"{mb:,.0f}"] for m, mb in memory.items()]),
        "How ours grows (whole calls of `sna.sweep` on minnow)": growth_table(growth),
        "The whole sweep on a GPU": on_gpu,
    }
    return "\n".join(f"\n### {title}\n\n{text}" for title, text in sections.items())


def machine(peak: float) -> str:
    return (
        f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads in torch; its "
        f"best float32 matrix product ran at {peak:.0f} GFLOP/s. Python "
        f"{platform.python_version()}, {', '.join(map(versioned, PACKAGES))}."
    )


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    return model[1] if model else platform.processor() or platform.machine()


def versioned(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def times(comparisons: list[Comparison]) -> str:
    rows = []
    for label in METHODS:
        cells = [
            f"{c.times[label]:.3g} ({c.times[label] / c.times['ours']:.1f})"
            if label in c.times else "does not run"
            for c in comparisons
        ]  # fmt: skip
        rows.append([label, *cells])
    reasons = {f"{m} does not run: {why}" for c in comparisons for m, why in c.missing.items()}
    return "\n\n".join([table(["method", *names(comparisons)], rows), *sorted(reasons)])


def timed(comparisons: list[Comparison]) -> str:
    rows = [
        ["layers", *(", ".join(map(str, c.layers)) for c in comparisons)],
        ["runs, the fastest taken", *(str(c.repeats) for c in comparisons)],
        *(
            [f"configurations: {label}", *(str(c.counts[label]) for c in comparisons)]
            for label in METHODS
        ),
        ["largest change of P by amplifying", *(f"{100 * c.effect:.1f} %" for c in comparisons)],
        ["largest difference of P from ours", *(f"{100 * c.deviation:.1g} %" for c in comparisons)],
    ]
    return table(["", *names(comparisons)], rows)


def at_once(comparisons: list[Comparison]) -> str:
    sizes = comparisons[0].at_once
    rows = [
        ["all 84 configurations" if size == ALL else f"{size:,}"]
        + [f"{c.at_once[size]:.3g}" for c in comparisons]
        for size in sizes
    ]
    return table(["tokens", *names(comparisons)], rows)


def shares(comparisons: list[Comparison], peak: float) -> str:
    rows = [
        [c.name, f"{c.gflops:.0f}", f"{100 * c.gflops / peak:.0f} %", f"{c.whole_to_ours:.2f}"]
        for c in comparisons
    ]
    return table(["model", "GFLOP/s", "share", "operations of a whole pass by those of ours"], rows)


def growth_table(growth: pd.DataFrame) -> str:
    """Three sweeps a table's part: the quarter, the half and the whole of one thing."""
    rows = []
    for i, row in enumerate(growth.itertuples(index=False)):
        base = growth.seconds[i - i % 3]
        rows.append([*map(str, row[:3]), f"{row.seconds:.2f}", f"{row.seconds / base:.2f}"])
    return table([*growth.columns, "times the first of the three"], rows)


def names(comparisons: list[Comparison]) -> list[str]:
    return [comparison.name for comparison in comparisons]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
