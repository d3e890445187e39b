"""What the benchmark runs: which prompts, layers and configurations, and how many for whom."""

import random
from dataclasses import dataclass, replace

import pandas as pd

import snahelpers as sna
from snahelpers.engines import Configuration
from snahelpers.frames import SPLITS

# 24 prompts of 9 to 14 tokens, of the same lengths for minnow and GPT-2 and of the mean length of
# the twelve tasks; for SmolLM2 those of the same name in English, a little longer and fewer.
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
    "smollm2": Plan(one_prompt=1, prompts_batched=2, whole_passes=8, ours=21, repeats=1),
    "gpt2": Plan(one_prompt=1, prompts_batched=4, whole_passes=16, ours=42, repeats=2),
    "gpt2-medium": Plan(one_prompt=1, prompts_batched=3, whole_passes=16, ours=42, repeats=1),
}
QUICK = Plan(one_prompt=1, prompts_batched=2, whole_passes=3, ours=4, repeats=1)


def task(each: int = 12, model: str = "minnow") -> sna.Task:
    """The prompts of the benchmark, or fewer of them; answers of one token."""
    if model != "smollm2":
        return shorter(sna.load_tasks()[TASK], each)
    known = pd.read_csv(sna.data_path("english_baselines.csv"))
    short = set(known.prompt[known.n_tokens == 1])
    whole = sna.load_tasks("english")[TASK]
    examples = tuple(e for e in whole.examples if e.prompt in short)
    return shorter(replace(whole, examples=examples), each)


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
