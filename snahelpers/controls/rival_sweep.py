"""Rivals that take more than a choice of neurons: temperature, a steering vector, fitted factors.

Each is fitted on a task's "select" examples once for every configuration of the grid, so that it
has as many tries as the amplification that it is set against, and is measured like it. Rivals that
are a choice of neurons (random, matched, …) are methods of `sweep` itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.controls.rivals import RIVALS
from snahelpers.errors import check_choice
from snahelpers.sweep import PAPER_GRID, Grid, Readings, run
from snahelpers.tasks import SPLITS, Task


def rival_sweep(
    model: TransformerBridge,
    tasks: Mapping[str, Task] | Iterable[Task | str] | Task | str,
    grid: Grid = PAPER_GRID,
    *,
    method: Literal["temperature", "steering", "learned_scaling", "norm_matched"],
    seed: int = 0,
    split: str | Sequence[str] = SPLITS,
    neutral: Sequence[str] | None = None,
    positions: Literal["all", "last"] = "all",
    per_example: bool = False,
    memory_gb: float = 1.0,
    out: str | Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """A sweep in which a rival stands in for the amplification of every configuration.

    - "temperature" divides the clean logits by the temperature that brings the mean log-probability
      of the likeliest token to where the amplification brings it. Ranks stay.
    - "steering" adds one vector to the residual stream after the layer: its mean on the task's
      prompts less its mean on neutral text, as long as what the amplification adds is on average,
      and turned round for multipliers below 1.
    - "learned_scaling" gives each of the configuration's neurons a factor of its own, learned from
      1 by gradient on mean log-odds. No factor goes further from 1 than the multiplier, up or down,
      so that the amplification itself is within reach.
    - "norm_matched" amplifies `matched_neurons` by as much more or less as it takes for what they
      add to be as long, on average, as what the amplification adds. The loudest neurons have no
      equals, so that matching alone leaves the control too quiet.

    All is fitted on "select" examples. Learning sees their answers: judge it on "test".

    Args:
        model: As for `sweep`, and so are all arguments but method.
        tasks: From `load_tasks`, or names.
        grid: Which configurations a rival is fitted to.
        method: "temperature", "steering", "learned_scaling" or "norm_matched".
        seed: Of "norm_matched", which draws by chance.
        split: Which examples are measured.
        neutral: Ordinary text.
        positions: Where to score, and where to add or scale.
        per_example: One row an example.
        memory_gb: About how much memory to use beside the model.
        out: A parquet file.
        progress: Show a bar.

    Returns:
        The columns of `sweep`; method is the rival's name.

    Raises:
        SNAError: an argument is out of range or unknown.
        DataError: a task cannot be measured, there is no direction to steer in (the prompts are
            the neutral text), or `out` belongs to another sweep.
    """
    check_choice("method", method, tuple(RIVALS))
    return run(
        RIVALS[method], Readings(model, neutral, positions), tasks, grid, split=split,
        method=method, seed=seed, per_example=per_example, engine="auto", memory_gb=memory_gb,
        out=out, progress=progress,
    )  # fmt: skip
