"""The paper's parameter sweep (section 3.3): every layer, neuron count and multiplier, on tasks."""

from snahelpers.sweep.grid import PAPER_GRID, Grid
from snahelpers.sweep.readings import Readings
from snahelpers.sweep.sweeping import (
    CONFIGURATION,
    KEYS,
    OUTCOMES,
    TASK,
    as_tasks,
    run,
    sweep,
    task_level,
)

__all__ = [
    "CONFIGURATION",
    "KEYS",
    "OUTCOMES",
    "PAPER_GRID",
    "TASK",
    "Grid",
    "Readings",
    "as_tasks",
    "run",
    "sweep",
    "task_level",
]
