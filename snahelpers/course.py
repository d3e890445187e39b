"""What a notebook runs on: minnow and all that was measured on it, or another model and less."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import pandas as pd
import torch
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.checkpoints import DEFAULT_MODEL, PLANTED
from snahelpers.files import PACKAGES, data_path
from snahelpers.models import load_model
from snahelpers.sweeps import Grid
from snahelpers.tasks import Task, few, load_neutral, load_tasks

FEW_PROMPTS, FEW_TEXTS = 2, 24


def setup() -> None:
    """Print what a notebook runs on; let tables show three digits and whole prompts."""
    pd.set_option("display.float_format", "{:.3g}".format)
    pd.set_option("display.max_colwidth", None)
    print(" · ".join(f"{package} {version(package)}" for package in PACKAGES[:4]))
    device = "a CUDA GPU" if torch.cuda.is_available() else "the CPU"
    print(f"default model {os.environ.get('SNA_MODEL') or DEFAULT_MODEL} on {device}")


@dataclass(frozen=True)
class Course:
    """A model with the tasks and the neutral text that suit it.

    Attributes:
        model: minnow, or the model that the environment variable SNA_MODEL names.
        tasks: Twelve, by name: those written for minnow, or those in natural English.
        neutral: Ordinary texts of the same kind.
        whole: Whether all of it is used. Of another model's tasks, texts and layers only a few
            are, so that a notebook ends in minutes; SNA_FULL=1 takes all.
        planted_in: The model whose planted circuit `load_dimmed` gives: this one, where there is
            one in it, else minnow.
    """

    model: TransformerBridge
    tasks: dict[str, Task]
    neutral: Sequence[str]
    whole: bool
    planted_in: str

    def grid(self, grid: Grid) -> Grid:
        """This grid; where less is used, with its first, a middle and its last layer alone."""
        last = self.model.cfg.n_layers - 1
        return grid if self.whole else replace(grid, layers=sorted({0, last // 2, last}))

    def shipped(self, name: str = "") -> pd.DataFrame | None:
        """The frame of this name that ships for minnow; other models' a notebook makes.

        Without a name it is the sweep of the paper's grid.
        """
        if self.model.cfg.model_name != DEFAULT_MODEL:
            return None
        stem = f"{DEFAULT_MODEL}-{name}" if name else DEFAULT_MODEL
        return pd.read_parquet(data_path("results", f"{stem}.parquet"))


def load_course() -> Course:
    """The model of a notebook with its tasks and texts; says how much of them it takes."""
    model = load_model()
    name = model.cfg.model_name
    ours = name.startswith(DEFAULT_MODEL)
    tasks = load_tasks("twelve" if ours else "english")
    neutral = load_neutral(DEFAULT_MODEL if ours else "english")
    whole, less = ours or bool(os.environ.get("SNA_FULL")), ""
    if not whole:
        tasks, neutral = few(tasks, FEW_PROMPTS), neutral[:FEW_TEXTS]
        less = ", three layers: a part, to be done in minutes (SNA_FULL=1 takes all)"
    prompts = sum(map(len, tasks.values()))
    print(f"{name}: {prompts} prompts of {len(tasks)} tasks, {len(neutral)} neutral texts{less}")
    return Course(model, tasks, neutral, whole, name if name in PLANTED else DEFAULT_MODEL)
