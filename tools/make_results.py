"""Make the sweeps that notebooks read instead of waiting for them: data/results/.

    python tools/make_results.py minnow             all of minnow's; a stopped sweep goes on
    python tools/make_results.py smollm2            those of a real language model
    python tools/make_results.py minnow minnow-contest    only this one

`tests/test_results.py` recomputes a random sample of their rows.
"""

import argparse
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from transformer_lens.model_bridge import TransformerBridge

import snahelpers as sna
from snahelpers import interference as side
from snahelpers import sentiment
from snahelpers.zones import layer_at

FOLDER = sna.data_path("results")
DRAWS = 20
PLACES = (8, 21)  # of the 24 layers of section 5.2's model: early and late
SMALL = sna.Grid(counts=(5, 10, 25), multipliers=(1.5, 2.4))
CONTESTANTS = (
    *("differential", "negative", "attribution", "norm_matched"),
    *("temperature", "steering", "learned_scaling"),
)
FACTORS = (0, 0.2, 0.4, 0.6, 0.8, 1)  # of dimming; 0 is absent, 1 is not dimmed
# On SmolLM2 by data/protocol_smollm2.md, where the first two methods decide the hypotheses.
SIX = replace(SMALL, layers=(0, 5, 10, 15, 20, 25))
# Learned scaling is left out: its gradients would take as long as all the others together.
RIVALS = (
    *("differential", "norm_matched", "absolute", "negative"),
    *("attribution", "temperature", "steering"),
)
FEW_DRAWS = 10
# Of the paper's twelve multipliers, for what is kept prompt by prompt.
EXAMPLE_MULTIPLIERS = tuple(sna.Grid().multipliers[i] for i in (3, 11))
SST2 = os.environ.get("SNA_SST2", sentiment.HUB_NAME)
# Of sentiment, as in notebook 06; the configuration is chosen on so many reviews of Zone 1.
DEPTHS, ARM_MULTIPLIERS, SST2_HARD = (0, 0.25, 0.5, 0.75, 21 / 23), (2.0, 4.0, 8.0, 12.0), 120
# Prompts of each half where all 16 and 40 would take hours; the contest takes them all.
FEW, FEWER = 8, 4


def sweep_minnow() -> pd.DataFrame:
    """The paper's grid on the twelve tasks."""
    return sna.sweep(
        sna.load_model("minnow"), sna.load_tasks(), out=FOLDER / "minnow-in-progress.parquet"
    )


def sweep_matched() -> pd.DataFrame:
    """Activation-matched random neurons on minnow, on a smaller grid."""
    return matched(sna.load_model("minnow"), sna.load_tasks(), SMALL)


def matched(
    model: TransformerBridge, tasks: dict[str, sna.Task], grid: sna.Grid, **options
) -> pd.DataFrame:
    """Draws of activation-matched random neurons, the draw in its own column."""
    draws = []
    for draw in range(DRAWS):
        options |= dict(method="matched", seed=draw, progress=False)
        draws.append(sna.sweep(model, tasks, grid, **options).assign(draw=draw))
        print(f"draw {draw + 1} of {DRAWS}", flush=True)
    return pd.concat(draws, ignore_index=True)


def sweep_seeds() -> pd.DataFrame:
    """Single examples on the smaller grid, for minnow's two other trainings."""
    tasks, names = sna.load_tasks(), ("minnow-seed1", "minnow-seed2")
    return pd.concat(
        [sna.sweep(sna.load_model(name), tasks, SMALL, per_example=True) for name in names],
        ignore_index=True,
    )


def interference_minnow() -> pd.DataFrame:
    """What amplifying each domain does to every one, at three settings."""
    return interference(minnow_plan())


def minnow_plan() -> "InterferencePlan":
    """The paper's multiplier, and one that is large enough to be seen on minnow."""
    model, tasks, neutral = sna.load_model("minnow"), sna.load_tasks(), sna.load_neutral()
    return InterferencePlan(model, tasks, neutral, multipliers=(2.5, 12.0))


def interference(plan: "InterferencePlan", n_draws: int = DRAWS) -> pd.DataFrame:
    """What amplifying each domain does to every one, and what draws of matched neurons do there.

    At its best swept configuration, and as in the paper's section 5.2: 15 neurons, early and late.
    Draw -1 is the domain's own choice.
    """
    frames = []
    for (domain, setting), push in plan.pushes.items():
        given = plan.model, plan.tasks, plan.texts, push
        changes = side.side_effects(*given, before=plan.before)
        means = side.effects(changes, n_resamples=1)
        own = means.pivot(index="domain", columns="outcome", values="value").reset_index()
        draws = side.matched_effects(*given, plan.means, range(n_draws), plan.before)
        frames.append(
            pd.concat([own.assign(draw=-1), draws]).assign(
                amplified=domain, setting=setting, layer=push.layer,
                n_neurons=len(push.neurons), multiplier=push.multiplier,
            )
        )  # fmt: skip
        print(f"{len(frames)} of {len(plan.pushes)}: {domain}, {setting}")
    keys = ["amplified", "setting", "layer", "n_neurons", "multiplier", "draw", "domain"]
    return pd.concat(frames, ignore_index=True)[[*keys, *side.OUTCOMES]]


def contest() -> pd.DataFrame:
    """Amplification and its controls, each at its own best configuration of the smaller grid.

    On the twelve tasks and the ladder, and on the planted facts at several strengths of dimming.
    """
    natural = sna.load_tasks() | sna.load_tasks("ladder")
    plan = [("natural", sna.load_model(), natural, CONTESTANTS)]
    planted, methods = sna.load_tasks("planted"), (*CONTESTANTS, "matched")
    plan += [(f"planted-{f}", sna.load_dimmed(f), planted, methods) for f in FACTORS]
    return contests(FOLDER / "contest-in-progress", plan, SMALL, draws=DRAWS)


def contests(
    folder: Path,
    plan: Sequence[tuple[str, TransformerBridge, dict[str, sna.Task], Sequence[str]]],
    grid: sna.Grid,
    **options,
) -> pd.DataFrame:
    """One contest after the other in one table; each keeps its sweeps in `folder` until all are."""
    parts = []
    for name, model, tasks, methods in plan:
        (folder / name).mkdir(parents=True, exist_ok=True)
        parts.append(sna.contest(model, tasks, grid, methods=methods, out=folder / name, **options))
    shutil.rmtree(folder)
    unused = ["pct_improvement", "entropy_post", "rank_base"]
    return pd.concat(parts, ignore_index=True).drop(columns=unused)


class InterferencePlan:
    """What notebook 05 chooses and measures on a model: `pushes` by (domain, setting).

    Neurons are chosen on one half of the neutral text, and its perplexity is measured on the other.
    """

    def __init__(
        self,
        model: TransformerBridge,
        tasks: dict[str, sna.Task],
        neutral: Sequence[str],
        multipliers: Sequence[float],
        n_measured: int | None = None,
    ) -> None:
        self.model, self.texts = model, neutral[1::2][: n_measured and 5 * n_measured]
        self.means = side.domain_means(model, tasks.values(), neutral[::2])
        measured = sna.few(tasks, n_measured) if n_measured else tasks
        self.tasks = [task.split("test") for task in measured.values()]
        self.before = side.answers(model, self.tasks, self.texts)
        name, n_layers = model.cfg.model_name, model.cfg.n_layers
        best = side.best_configurations(pd.read_parquet(FOLDER / f"{name}.parquet"))
        self.pushes = {}
        for row in best.itertuples():
            where = {"best": (row.layer, row.n_neurons, row.multiplier)}
            for layer in (layer_at(place, n_layers) for place in PLACES):
                where |= {f"layer {layer} × {m:g}": (layer, 15, m) for m in multipliers}
            scores = self.means[row.domain] - self.means[side.NEUTRAL]
            for setting, (layer, k, multiplier) in where.items():
                push = sna.Amplification(layer, sna.top_neurons(scores, layer, k), multiplier)
                self.pushes[row.domain, setting] = push


def sweep_smollm2() -> pd.DataFrame:
    """The paper's grid over all 30 layers on *select*, and each task's winner on *test*."""
    whole, winners = swept_smollm2()
    return pd.concat([sna.task_level(whole), sna.task_level(winners[winners.split == "test"])])


def examples_smollm2() -> pd.DataFrame:
    """Of the same sweep single examples at six configurations a layer, for layers' intervals."""
    whole, _ = swept_smollm2()
    here = whole.n_neurons.isin(SMALL.counts) & whole.multiplier.isin(EXAMPLE_MULTIPLIERS)
    return whole[here].drop(columns=["rank_base", "entropy_base"])


def swept_smollm2() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Single examples of the paper's grid, and of each task's winner on both halves."""
    folder = FOLDER / "smollm2-in-progress"
    folder.mkdir(exist_ok=True)
    options = dict(methods=["differential"], neutral=sna.load_neutral("english"), out=folder)
    winners = sna.contest(sna.load_model("smollm2"), few_selected(), **options)
    return pd.read_parquet(folder / "differential-0.parquet"), winners


def few_selected() -> dict[str, sna.Task]:
    """The English tasks with the first prompts of *select*, and all of *test*."""
    tasks = sna.load_tasks("english")
    for name, task in tasks.items():
        select, test = (task.split(split).examples for split in ("select", "test"))
        tasks[name] = replace(task, examples=select[:FEW] + test)
    return tasks


def contest_smollm2() -> pd.DataFrame:
    """The contest that decides the protocol's hypotheses, and what is told beside it.

    On the planted facts, dimmed and taken out, with their twin; and on the English tasks.
    """
    told, load = sna.load_tasks("planted") | sna.load_tasks("absent"), sna.load_dimmed
    plan = [(f"planted-{f}", load(f, "smollm2"), told, RIVALS[:3]) for f in (0.4, 0)]
    plan.append(("english", sna.load_model("smollm2"), sna.load_tasks("english"), RIVALS))
    options = dict(draws=FEW_DRAWS, neutral=sna.load_neutral("english"))
    return contests(FOLDER / "smollm2-contest-in-progress", plan, SIX, **options)


def matched_smollm2() -> pd.DataFrame:
    """Activation-matched random neurons, six layers × six configurations, few prompts of *select*.

    Draw -1 is the paper's choice.
    """
    model, (tasks, grid, options) = sna.load_model("smollm2"), first_prompts()
    own = sna.sweep(model, tasks, grid, progress=False, **options).assign(draw=-1)
    return pd.concat([own, matched(model, tasks, grid, **options)], ignore_index=True)


def without_bos_smollm2() -> pd.DataFrame:
    """The paper's choice at the same configurations and prompts, with no beginning of sequence.

    TransformerLens puts SmolLM2's `<|im_start|>` first, which opens a chat.
    """
    model = sna.load_model("smollm2")
    model.cfg.default_prepend_bos = False
    tasks, grid, options = first_prompts()
    return sna.sweep(model, tasks, grid, **options)


def first_prompts() -> tuple[dict[str, sna.Task], sna.Grid, dict]:
    """Tasks, grid and options of what is measured on a few prompts of SmolLM2's whole sweep."""
    grid = replace(SIX, multipliers=EXAMPLE_MULTIPLIERS)
    options = dict(split="select", neutral=sna.load_neutral("english"))
    return sna.few(sna.load_tasks("english"), FEWER), grid, options


def signs_smollm2() -> pd.DataFrame:
    """Of ten neurons chosen by their (absolute) difference, how many are chosen in a twin, too.

    The twin is SmolLM2 with half of its neurons' signs turned: it gives the same answers.
    """
    model, twin, rows = sna.load_model("smollm2"), sna.load_model("smollm2"), []
    rng, neutral = np.random.default_rng(0), sna.load_neutral("english")
    for layer in SIX.layers:
        mlp = twin.blocks[layer].mlp
        half = rng.permutation(twin.cfg.d_mlp)[: twin.cfg.d_mlp // 2].tolist()
        getattr(mlp, "in").weight[half] *= -1
        mlp.out.weight[:, half] *= -1
    at_rest = {each: sna.mean_activations(each, neutral) for each in (model, twin)}
    for name, task in sna.load_tasks("english").items():
        prompts = task.split("select").prompts
        scores = [sna.mean_activations(each, prompts) - rest for each, rest in at_rest.items()]
        for layer in SIX.layers:
            for by, values in (("difference", scores), ("|difference|", [s.abs() for s in scores])):
                own, other = (set(sna.top_neurons(v, layer, 10).tolist()) for v in values)
                rows.append(dict(task=name, layer=layer, by=by, shared=len(own & other)))
    return pd.DataFrame(rows)


def interference_smollm2() -> pd.DataFrame:
    """As on minnow, at each domain's best alone; fewer prompts, texts and draws."""
    return interference(smollm2_plan(), FEW_DRAWS)


def smollm2_plan() -> "InterferencePlan":
    """Neurons are chosen on 8 prompts a task, and what they do is measured on 4 others."""
    tasks, neutral = sna.few(sna.load_tasks("english"), FEW), sna.load_neutral("english")[:80]
    model = sna.load_model("smollm2")
    return InterferencePlan(model, tasks, neutral, multipliers=(), n_measured=FEWER)


def sentiment_smollm2() -> pd.DataFrame:
    """SST-2 in 60 configurations (the paper's section 6): log-odds of *positive* for each review.

    The 200 scored reviews, and for the choice the first of the others that lie in Zone 1. Reviews
    are named by their row in `load_sst2`; SST-2's sentences do not ship.
    """
    model, reviews = sna.load_model("smollm2"), sentiment.load_sst2(SST2)
    select, test = (reviews[reviews.split == half] for half in ("select", "test"))
    said = sentiment.classify(model, list(select.sentence))
    halves = {"test": test, "select": select[(said.zone == 1).to_numpy()][:SST2_HARD]}
    pairs = sentiment.pairs(sentiment.contrast(model, reviews))
    layers = [layer_at(23 * depth, model.cfg.n_layers) for depth in DEPTHS]
    parts = []
    for half, part in halves.items():
        before = sentiment.classify(model, list(part.sentence))
        swept = {("none", -1, 1.0): before}
        swept |= sentiment.sweep_arms(model, list(part.sentence), pairs, layers, ARM_MULTIPLIERS)
        for (arm, layer, multiplier), answers in swept.items():
            labels = dict(half=half, arm=arm, layer=layer, multiplier=multiplier)
            rows = pd.DataFrame({"review": part.index, "gold": list(part.label)})
            parts.append(rows.assign(logit_diff=answers.logit_diff, **labels))
        print(f"{half}: {len(part)} reviews, {len(swept) - 1} configurations")
    return pd.concat(parts, ignore_index=True)


SWEEPS: dict[str, dict[str, Callable[[], pd.DataFrame]]] = {
    "minnow": {
        "minnow": sweep_minnow,
        "minnow-matched": sweep_matched,
        "minnow-seeds": sweep_seeds,
        "minnow-interference": interference_minnow,
        "minnow-contest": contest,
    },
    "smollm2": {
        "smollm2-contest": contest_smollm2,
        "smollm2": sweep_smollm2,
        "smollm2-examples": examples_smollm2,
        "smollm2-matched": matched_smollm2,
        "smollm2-without-bos": without_bos_smollm2,
        "smollm2-signs": signs_smollm2,
        "smollm2-interference": interference_smollm2,
        "smollm2-sst2": sentiment_smollm2,
    },
}


def keep(frame: pd.DataFrame, file: Path) -> None:
    """Write a table with seven digits: more than a rerun on another processor reproduces."""
    numbers = frame.select_dtypes("float64").columns.difference(["multiplier"])
    frame.astype(dict.fromkeys(numbers, "float32")).to_parquet(file, index=False)
    print(f"{file.name}: {len(frame):,} rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=SWEEPS)
    parser.add_argument("names", nargs="*", help="of its tables; by default all")
    FOLDER.mkdir(exist_ok=True)
    options = parser.parse_args()
    for name in options.names or SWEEPS[options.model]:
        keep(SWEEPS[options.model][name](), FOLDER / f"{name}.parquet")
        (FOLDER / f"{name}-in-progress.parquet").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
