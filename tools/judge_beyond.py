"""What data/protocol_beyond.md asks of what make_beyond.py measured: data/results/beyond-*.parquet.

    python tools/judge_beyond.py            all of it, a minute; no model is run

Tables in, tables out. `tests/test_results.py` computes them again.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

import snahelpers as sna
from make_results import FOLDER
from snahelpers.contests import mean_advantage
from snahelpers.frames import CONFIGURATION
from snahelpers.stats import bootstrap, bootstrap_groups, flip_signs, holm, interval

BASES = ("minnow", "smollm2")
PREDICTORS = ("the paper's score", "slope", "slope and bend", "at the next multiplier")
TRIES = (1, 2, 3, 5, 8, 12)
BY_CHANCE, ENOUGH = 500, 100  # searches; configurations on "test", to search among
EDGES = (0.07, 0.10)
PLACEBOS = tuple([p for p in np.geomspace(0.005, 0.6, 28) if not 0.05 < p < 0.14][:20])
ANYWHERE = tuple(np.geomspace(0.01, 0.5, 60))  # to be looked at, not judged
BEATEN = 19  # of the placebos, for a step to count
N_FLIPS = 10_000


def shipped(name: str) -> pd.DataFrame:
    return pd.read_parquet(FOLDER / f"{name}.parquet")


# 1. Choose in two passes


def sweeps() -> pd.DataFrame:
    """Every whole sweep: of the natural tasks, and of the planted facts."""
    planted = shipped("beyond-planted").drop(columns="base")
    return pd.concat([*map(shipped, BASES), planted], ignore_index=True)


def predictions() -> pd.DataFrame:
    """What was measured on "select", and what each predictor said of it."""
    cell = ["model", "task", "layer", "n_neurons"]
    swept = sweeps()
    known = swept[swept.split == "select"].merge(shipped("beyond-slopes"), on=cell)
    known = known.sort_values([*cell, "multiplier"], ignore_index=True)
    step = known.multiplier - 1
    known["the paper's score"] = known.difference
    known["slope and bend"] = known.slope * step + known.bend * step**2
    known["slope"] *= step
    known["at the next multiplier"] = known.groupby(cell).delta_logodds.shift(-1)
    known["times"] = known.multiplier.round(2)
    return known


def agreement() -> pd.DataFrame:
    """Rank correlation of predictors and measured gains.

    For each task over layers and counts (`layer` -1), and at each layer over tasks (`task` empty).
    """
    known = predictions()
    by_task = known.groupby(["base", "model", "task", "times"]).apply(_ranks, include_groups=False)
    ten = known[known.n_neurons == 10]
    by_layer = ten.groupby(["base", "layer", "times"]).apply(_ranks, include_groups=False)
    tables = by_task.reset_index().assign(layer=-1), by_layer.reset_index()
    both = pd.concat(tables).fillna({"model": "", "task": ""})
    keys = ["base", "model", "task", "layer", "times"]
    return both.melt(keys, list(PREDICTORS), "predictor").dropna(ignore_index=True)


def _ranks(part: pd.DataFrame) -> pd.Series:
    told = part[list(PREDICTORS)].dropna(axis=1, how="all")
    return told.corrwith(part.delta_logodds, method="spearman").reindex(PREDICTORS)


def cost() -> pd.DataFrame:
    """The suggestions' gain on "test" less that of the sweep's winner, by the number of tries.

    A row for each task; and in `task` "all that decide" or "all others" their means, with tasks
    and in each its prompts drawn again. `share` is of the winner's gain, `cost` in per cent of the
    sweep's, `by_chance` the gain less the winner's of equally many configurations by chance, `n`
    the number of tasks.
    """
    runs, swept, rows = shipped("beyond-suggest"), sweeps(), []
    real = deciding(runs)
    losses: dict[tuple, list] = {}
    for (base, model, task), part in runs.groupby(["base", "model", "task"], sort=False):
        gains = part.pivot(index="example", columns="tries", values="delta_logodds")
        winner, decides = gains[0].mean(), (model, task) in real
        for tries in TRIES:
            first = part[part.tries == tries].iloc[0]
            less = (gains[tries] - gains[0]).to_numpy()
            mean, low, high = sna.bootstrap_mean(less)
            chance = by_chance(swept, model, task, int(first.cost)) - winner
            rows.append(
                dict(base=base, model=model, task=task, decides=decides, tries=tries)
                | dict(cost=100 * first.cost / first.swept, share=gains[tries].mean() / winner)
                | dict(winner=winner, less=mean, low=low, high=high, by_chance=chance)
            )
            losses.setdefault((decides, tries), []).append(less)
    table = pd.DataFrame(rows)
    return pd.concat([table, _means(table, losses)], ignore_index=True)


def deciding(runs: pd.DataFrame) -> set[tuple[str, str]]:
    """Where the contests' winner beats random neurons that push as hard: model and task."""
    contests = pd.concat([shipped(f"{base}-contest") for base in BASES], ignore_index=True)
    duels = sna.compare(contests[contests.task.isin(runs.task)], "norm_matched")
    return set(duels[duels.low > 0][["model", "task"]].itertuples(index=False, name=None))


def by_chance(swept: pd.DataFrame, model: str, task: str, n: int) -> float:
    """The gain on "test" of the best on "select" of n configurations drawn from the sweep.

    NaN where the sweep ran on "test" at its winner alone.
    """
    rows = swept[(swept.model == model) & (swept.task == task)]
    p = rows.pivot(index=CONFIGURATION, columns="split", values="p_post").dropna()
    if len(p) < ENOUGH:
        return np.nan
    gain = rows[rows.split == "test"].set_index(CONFIGURATION).delta_logodds
    ordered = gain[p.sort_values("select", ascending=False).index].to_numpy()
    drawn = np.random.default_rng(0).integers(len(p), size=(BY_CHANCE, n))
    return ordered[drawn.min(axis=1)].mean()


def _means(table: pd.DataFrame, losses: dict[tuple, list]) -> pd.DataFrame:
    rows = []
    for (decides, tries), groups in losses.items():
        part = table[(table.decides == decides) & (table.tries == tries)]
        low, high = interval(bootstrap_groups(groups))
        name = "all that decide" if decides else "all others"
        row = dict(base="", model="", task=name, decides=decides, tries=tries, n=len(part))
        row |= dict(low=low, high=high)
        rows.append(row | part[["cost", "winner", "less", "by_chance"]].mean().to_dict())
    return pd.DataFrame(rows)


# 2. Zone 2 on purpose


def advantages(contest: pd.DataFrame) -> pd.DataFrame:
    """Every prompt of "test": its P, its change, and that under the control (of draws the mean)."""
    test, at = contest[contest.split == "test"], ["model", "task", "example"]
    effects = test.pivot_table("delta_logodds", at, "method", observed=True)
    effects = effects[["differential", "norm_matched"]].set_axis(["own", "control"], axis=1)
    table = effects.assign(p=test.groupby(at, observed=True).p_base.first())
    return table.dropna().reset_index().assign(advantage=lambda t: t.own - t.control)


def prompts() -> pd.DataFrame:
    """The new tasks' prompts, and those of the earlier contests that no new task asks."""
    files = sna.data_path("zone2.csv"), sna.data_path("zone2_english.csv")
    fresh = {p for file in files for task in sna.load_tasks(file).values() for p in task.prompts}
    known = {
        "minnow": sna.load_tasks() | sna.load_tasks("ladder"),
        "smollm2": sna.load_tasks("english"),
    }
    parts = [advantages(shipped("beyond-zone2")).assign(new=True)]
    for base, tasks in known.items():
        contest = shipped(f"{base}-contest")
        table = advantages(contest[contest.model == base])
        asked = [tasks[row.task].prompts[row.example] in fresh for row in table.itertuples()]
        parts.append(table[~np.array(asked)].assign(new=False))
    return pd.concat(parts, ignore_index=True)


def step_at(table: pd.DataFrame, edge: float, n_draws: int = 2000) -> tuple[float, float, float]:
    """How much the advantage steps at an edge, with low and high: tasks drawn again.

    Least squares, with a level for each task and a line in baseline log-odds.
    """
    logodds, above = np.log(table.p / (1 - table.p)), (table.p > edge).astype(float)
    columns = pd.DataFrame({"line": logodds, "edge": above, "y": table.advantage})
    tasks = table.task.to_numpy()
    within = columns - columns.groupby(tasks).transform("mean")
    groups = [group.to_numpy() for _, group in within.groupby(tasks)]
    squares = np.stack([g[:, :2].T @ g[:, :2] for g in groups]) + 1e-9 * np.eye(2)
    products = np.stack([g[:, :2].T @ g[:, 2] for g in groups])
    draws = np.random.default_rng(0).integers(len(groups), size=(n_draws, len(groups)))
    draws = np.vstack([np.arange(len(groups)), draws])  # the first is the tasks as they are
    steps = np.linalg.solve(squares[draws].sum(1), products[draws].sum(1)[..., None])[:, 1, 0]
    return steps[0], *interval(steps[1:])


def steps() -> pd.DataFrame:
    """The step at the paper's edges, at placebo edges, and anywhere."""
    rows, every = [], prompts()
    for base in BASES:
        part = every[every.model == base]
        for kind, edges in dict(paper=EDGES, placebo=PLACEBOS, anywhere=ANYWHERE).items():
            rows += [(base, kind, edge, *step_at(part, edge)) for edge in edges]
    table = pd.DataFrame(rows, columns=["base", "kind", "edge", "step", "low", "high"])
    placebos = table[table.kind == "placebo"].groupby("base")
    sizes = {base: part.step.abs().to_numpy() for base, part in placebos}
    table["larger_than"] = [(sizes[r.base] < abs(r.step)).sum() for r in table.itertuples()]
    sure = (table.low * table.high > 0) & (table.larger_than >= BEATEN)
    return table.assign(holds=sure & (table.kind == "paper"))


def in_zone2() -> pd.DataFrame:
    """The mean advantage over the new tasks, and how much more it is spread than in other zones."""
    every, rows, zone2 = prompts(), [], shipped("beyond-zone2")
    for base in BASES:
        frame, part = zone2[zone2.base == base], every[every.model == base].groupby("task")
        gain = mean_advantage(frame, "norm_matched", list(frame.task.unique()))
        rows.append((base, "mean advantage", *(gain[k] for k in ("value", "low", "high"))))
        spreads = np.log(part.advantage.std())
        zones = part.p.mean().map(sna.zone)
        logs = {zone: spreads[zones == zone].to_numpy() for zone in (1, 2, 3)}
        for other in (1, 3):
            draws = bootstrap(lambda a, b: a.mean(axis=1) - b.mean(axis=1), logs[2], logs[other])
            ratio = logs[2].mean() - logs[other].mean()
            rows.append((base, f"spread, beside Zone {other}", ratio, *interval(draws)))
    return pd.DataFrame(rows, columns=["base", "asked", "value", "low", "high"])


# 3. Several at once


def pairs() -> pd.DataFrame:
    """The interaction of every pair on a task, in nats, and that with random partners."""
    rows, at = [], ["base", "where", "task", "partner"]
    measured = pd.concat([shipped("beyond-together"), shipped("beyond-three")])
    for case, part in measured.groupby(at, sort=False):
        by = part.pivot(index="example", columns=["condition", "draw"], values="delta_logodds")
        own = (by["both"][0] - by["alone"][0] - by["partner"][0]).to_numpy()
        drawn = (by["control"].sub(by["alone"][0], axis=0) - by["stand-in"]).mean()
        mean, low, high = sna.bootstrap_mean(own)
        # Two columns, so that p is that of the larger of the two directions.
        _, p = flip_signs(np.stack([own, -own], axis=1), N_FLIPS, np.random.default_rng(0))
        row = dict(zip(at, case, strict=True)) | dict(shared=part.shared.iloc[0])
        row |= dict(alone=by["alone"][0].mean(), value=mean, low=low, high=high, p=p.min())
        span = dict(random_low=drawn.min(), random_mean=drawn.mean(), random_high=drawn.max())
        rows.append(row | span)
    table = pd.DataFrame(rows)
    return table.assign(p_holm=table.groupby(["base", "where"]).p.transform(holm))


# 4. What do these neurons compute?


def carried() -> pd.DataFrame:
    """What is left of the gain, as a share, when later components give what they gave before."""
    rows, at = [], ["base", "case", "kind"]
    for case, part in shipped("beyond-circuits").groupby(at, sort=False):
        whole = part[part.unit < 0].set_index("part").value
        names = ["all frozen", "every attention frozen", "every MLP frozen"]
        row = dict(zip(at, case, strict=True)) | dict(gain=whole["gain"])
        row |= {name: whole[name] / whole["gain"] for name in names}
        for kind in ("attention", "MLP", "head"):
            row |= strongest(part[part.part == f"{kind} frozen"], kind, whole["gain"])
        rows.append(row)
    return pd.DataFrame(rows)


def strongest(frozen: pd.DataFrame, kind: str, gain: float) -> dict:
    """The layer (or layer.head) whose freezing changes the gain most, and the share it leaves."""
    if frozen.empty:
        return {}
    most = frozen.loc[(frozen.value - gain).abs().idxmax()]
    place = f"{most.layer}" + (f".{most.unit}" if kind == "head" else "")
    return {kind: place, f"without that {kind}": most.value / gain}


JUDGED = {
    "agreement": agreement,
    "cost": cost,
    "prompts": prompts,
    "steps": steps,
    "in-zone2": in_zone2,
    "pairs": pairs,
    "carried": carried,
}


def tables() -> Iterator[tuple[str, pd.DataFrame]]:
    for name, judge in JUDGED.items():
        yield f"beyond-{name}", judge()


def main() -> None:
    for name, frame in tables():
        frame.to_parquet(FOLDER / f"{name}.parquet", index=False)
        print(f"{name}.parquet: {len(frame):,} rows")


if __name__ == "__main__":
    main()
