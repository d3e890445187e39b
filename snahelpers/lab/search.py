"""The paper's sweep for the one prompt on the page, a layer at a time: it can be stopped."""

from collections.abc import Iterator

import pandas as pd
from tqdm.auto import tqdm

from snahelpers.lab.bench import Bench
from snahelpers.lab.setting import Push, Setting
from snahelpers.sweep import PAPER_GRID, Grid, Readings
from snahelpers.sweep.runner import Job, Runner
from snahelpers.tasks import Example, Task

# To two digits, as the page's slider can hold them.
GRID = Grid(multipliers=[round(multiplier, 2) for multiplier in PAPER_GRID.multipliers])


def search(bench: Bench, setting: Setting, grid: Grid = GRID) -> Iterator[pd.DataFrame]:
    """Sweep every layer, count and multiplier on the setting's prompt.

    Neurons are chosen as the setting says; its own pushes are not part of it.

    Yields:
        A layer's configurations, columns as from `sweep`.

    Raises:
        DataError: the prompt or a text cannot be used.
    """
    chosen_by = [Example(text, setting.target, "select") for text in setting.texts]
    asked = Example(setting.prompt, setting.target, "test")
    job = Job(bench.model, Task(setting.task, "", "", (*chosen_by, asked)), ["test"])
    runner = Runner(
        Readings(bench.model, setting.reference, setting.positions), [job], grid.configurations(),
        method="random" if setting.source == "random" else "differential", seed=0, engine="auto",
        memory_gb=1.0,
    )  # fmt: skip
    with tqdm(disable=True) as silent:  # the page has a bar of its own
        for layer in range(bench.n_layers):
            yield runner.measure(job, layer, silent)


def best_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """For each layer and multiplier the number of neurons with the highest P of the answer."""
    best = frame.groupby(["layer", "multiplier"]).p_post.idxmax()
    return frame.loc[best].reset_index(drop=True)


def winner(frame: pd.DataFrame) -> pd.Series:
    """The row with the highest P of the answer, the first of equals."""
    return frame.loc[frame.p_post.idxmax()]


def as_push(row: pd.Series) -> Push:
    """The amplification of a row."""
    return Push(int(row.layer), int(row.n_neurons), float(row.multiplier))
