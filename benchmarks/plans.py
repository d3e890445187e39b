"""What the benchmark runs: which prompts, layers and configurations, and how many for whom."""

import random
from dataclasses import dataclass, replace

import snahelpers as sna
from snahelpers.columns import SPLITS
from snahelpers.engines import Configuration

# 24 prompts of 9 to 14 tokens, of the same lengths for all three models and of the mean length of
# the twelve tasks.
TASK = "logic_hard"
GRID = sna.Grid()
LARGEST_COUNT = max(GRID.counts)
N_LAYERS = 4


@dataclass(frozen=True)
class Plan:
    """How much of the sweep each method runs on one model.

    Time is linear in the number of configurations, so slow methods run few of them: one prompt
    at a time, prompts batched, whole passes in large batches, ours.
    """

    one_prompt: int
    prompts_batched: int
    whole_passes: int
    ours: int
    repeats: int


PLANS = {
    "minnow": Plan(one_prompt=6, prompts_batched=12, whole_passes=84, ours=84, repeats=3),
    "gpt2": Plan(one_prompt=1, prompts_batched=4, whole_passes=16, ours=42, repeats=2),
    "gpt2-medium": Plan(one_prompt=1, prompts_batched=3, whole_passes=16, ours=42, repeats=1),
}
QUICK = Plan(one_prompt=1, prompts_batched=2, whole_passes=3, ours=4, repeats=1)


def task(each: int = 12) -> sna.Task:
    """The prompts of the benchmark, or fewer of them."""
    return shorter(sna.load_tasks()[TASK], each)


def shorter(task: sna.Task, each: int) -> sna.Task:
    """The first `each` examples of "select" and of "test"."""
    examples = [example for split in SPLITS for example in task.split(split).examples[:each]]
    return replace(task, examples=tuple(examples))


def configurations(n: int) -> list[Configuration]:
    """The strongest configuration and n - 1 others by chance; fewer are always among more."""
    every = GRID.configurations()
    others = random.Random(0).sample(every[:-1], len(every) - 1)
    return sorted([every[-1], *others[: n - 1]])


def middles(n_layers: int) -> list[int]:
    """The middle layer of each of four equal parts of the depth.

    Ours takes less time the deeper the layer. The mean depth of these is that of all layers, so
    their mean time is that of a whole sweep.
    """
    upper = [int((2 * i + 1) * n_layers / (2 * N_LAYERS) - 0.5) for i in range(N_LAYERS // 2)]
    return [*upper, *(n_layers - 1 - layer for layer in reversed(upper))]
