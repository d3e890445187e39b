"""Made-up sweeps and summaries, in which what is to be found was planted."""

import itertools

import numpy as np
import pandas as pd

# Of a sweep with one row an example.
COLUMNS = (
    "model task domain difficulty split method example layer n_neurons multiplier "
    "p_base p_post pct_improvement delta_logodds rank_base rank_post entropy_base entropy_post"
).split()
LAYERS, COUNTS, MULTIPLIERS = (0, 1, 2, 3), (3, 5), (1.1, 1.5, 2.4)
# Three domains of four tasks each, in which ranks of baseline P have the same mean.
RANKS = {"maths": (1, 12, 6, 7), "poetry": (2, 11, 5, 8), "coding": (3, 10, 4, 9)}
TASKS = {
    f"{domain}_{i}": (domain, 10 ** (rank / 4 - 3.1))
    for domain, ranks in RANKS.items()
    for i, rank in enumerate(ranks)
}


def sweep(
    effect, tasks=TASKS, *, splits=("select", "test"), examples=None, layers=LAYERS, method="found"
):
    """A sweep in which `effect(task, layer=…, …)` is what every log-odds is raised by."""
    rows = []
    grid = itertools.product(tasks, splits, range(examples or 1), layers, COUNTS, MULTIPLIERS)
    for task, split, example, layer, n_neurons, multiplier in grid:
        domain, p = tasks[task]
        labels = dict(split=split, layer=layer, n_neurons=n_neurons, multiplier=multiplier)
        delta = effect(task, example=example, domain=domain, p=p, **labels)
        post = p * np.exp(delta) / (1 - p + p * np.exp(delta))
        pct = 100 * (post - p) / p if p else np.inf * post if post else np.nan
        rows.append(
            dict(model="toy", task=task, domain=domain, difficulty=task.split("_")[1])
            | dict(method=method, example=example, p_base=p, p_post=post, pct_improvement=pct)
            | dict(delta_logodds=delta, rank_base=9, rank_post=7, entropy_base=2.0)
            | dict(entropy_post=1.5, **labels)
        )
    frame = pd.DataFrame(rows)
    return frame if examples else frame.drop(columns="example")


def noise(seed=0):
    rng = np.random.default_rng(seed)
    return lambda task, **_: rng.normal()


def summary(p, outcome, domains=4, **columns):
    """A summary of len(p) tasks with the given mean_pct."""
    domain = [f"domain {i % domains}" for i in range(len(p))]
    return pd.DataFrame({"domain": domain, "p_base": p, "mean_pct": outcome, **columns})


def noisy_summary(n=12, seed=0):
    rng = np.random.default_rng(seed)
    p = 10 ** rng.uniform(-3, 0, n)
    return summary(p, rng.normal(size=n) - 0.8 * np.log10(p), test_pct=rng.normal(size=n))
