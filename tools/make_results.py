"""Make the sweeps that notebooks 03 to 07 read instead of waiting for them: data/results/.

    python tools/make_results.py            all of them; a sweep that was stopped goes on
    python tools/make_results.py minnow     only this one

`tests/test_results.py` recomputes a random sample of their rows.
"""

import argparse
import shutil

import pandas as pd

import snahelpers as sna
from snahelpers import interference as side

FOLDER = sna.data_path("results")
DRAWS = 20
PUSHED = [(layer, 15, m) for layer in (4, 10) for m in (2.5, 12.0)]  # 8/23, 21/23 of the depth
SMALL = sna.Grid(counts=(5, 10, 25), multipliers=(1.5, 2.4))
CONTESTANTS = (
    *("differential", "negative", "attribution", "norm_matched"),
    *("temperature", "steering", "learned_scaling"),
)
FACTORS = (0, 0.2, 0.4, 0.6, 0.8, 1)  # of dimming; 0 is absent, 1 is not dimmed


def sweep_minnow() -> pd.DataFrame:
    """The paper's grid on the twelve tasks."""
    return sna.sweep(
        sna.load_model("minnow"), sna.load_tasks(), out=FOLDER / "minnow-in-progress.parquet"
    )


def sweep_matched() -> pd.DataFrame:
    """Draws of activation-matched random neurons on a smaller grid, the draw in its own column."""
    model, tasks, draws = sna.load_model("minnow"), sna.load_tasks(), []
    for draw in range(DRAWS):
        frame = sna.sweep(model, tasks, SMALL, method="matched", seed=draw, progress=False)
        draws.append(frame.assign(draw=draw))
        print(f"draw {draw + 1} of {DRAWS}")
    return pd.concat(draws, ignore_index=True)


def sweep_seeds() -> pd.DataFrame:
    """Single examples on the smaller grid, for minnow's two other trainings."""
    tasks, names = sna.load_tasks(), ("minnow-seed1", "minnow-seed2")
    return pd.concat(
        [sna.sweep(sna.load_model(name), tasks, SMALL, per_example=True) for name in names],
        ignore_index=True,
    )


def interference() -> pd.DataFrame:
    """What amplifying each domain does to every one, and what draws of matched neurons do there.

    At its best swept configuration, and as in the paper's section 5.2: 15 neurons × 2.5, early and
    late; and once more × 12.
    Draw -1 is the domain's own choice.
    """
    model, frames = sna.load_model("minnow"), []
    plan = InterferencePlan(model)
    for (domain, setting), push in plan.pushes.items():
        changes = side.side_effects(model, plan.tasks, plan.texts, push, before=plan.before)
        means = side.effects(changes, n_resamples=1)
        own = means.pivot(index="domain", columns="outcome", values="value").reset_index()
        draws = side.matched_effects(
            model, plan.tasks, plan.texts, push, plan.means, range(DRAWS), plan.before
        )
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
    planted = sna.load_tasks("planted")
    natural = sna.load_tasks() | sna.load_tasks("ladder")
    plan = [("natural", sna.load_model, natural, CONTESTANTS)] + [
        (f"planted-{factor}", lambda f=factor: sna.load_dimmed(f), planted,
         (*CONTESTANTS, "matched")) for factor in FACTORS
    ]  # fmt: skip
    parts, folder = [], FOLDER / "contest-in-progress"
    for name, load, tasks, methods in plan:
        (folder / name).mkdir(parents=True, exist_ok=True)
        options = dict(methods=methods, draws=DRAWS, out=folder / name)
        parts.append(sna.contest(load(), tasks, SMALL, **options))
    shutil.rmtree(folder)
    unused = ["pct_improvement", "entropy_post", "rank_base"]
    return pd.concat(parts, ignore_index=True).drop(columns=unused)


class InterferencePlan:
    """What notebook 05 chooses and measures on minnow: `pushes` by (domain, setting)."""

    def __init__(self, model) -> None:
        tasks, neutral = sna.load_tasks().values(), sna.load_neutral()
        self.means = side.domain_means(model, tasks, neutral[::2])  # chosen on one half of the
        self.texts = neutral[1::2]  # neutral text, measured on the other
        self.tasks = [task.split("test") for task in tasks]
        self.before = side.answers(model, self.tasks, self.texts)
        best = side.best_configurations(pd.read_parquet(FOLDER / "minnow.parquet"))
        self.pushes = {}
        for row in best.itertuples():
            where = {"best": (row.layer, row.n_neurons, row.multiplier)}
            where |= {f"layer {layer} × {m:g}": (layer, k, m) for layer, k, m in PUSHED}
            scores = self.means[row.domain] - self.means[side.NEUTRAL]
            for setting, (layer, k, multiplier) in where.items():
                push = sna.Amplification(layer, sna.top_neurons(scores, layer, k), multiplier)
                self.pushes[row.domain, setting] = push


SWEEPS = {
    "minnow": sweep_minnow,
    "minnow-matched": sweep_matched,
    "minnow-seeds": sweep_seeds,
    "minnow-interference": interference,
    "minnow-contest": contest,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SWEEPS)}; by default all")
    FOLDER.mkdir(exist_ok=True)
    for name in parser.parse_args().names or SWEEPS:
        frame = SWEEPS[name]()
        numbers = frame.select_dtypes("float64").columns.drop("multiplier")
        # Seven digits are more than a rerun on another processor reproduces.
        frame[numbers] = frame[numbers].astype("float32")
        frame.to_parquet(FOLDER / f"{name}.parquet", index=False)
        (FOLDER / f"{name}-in-progress.parquet").unlink(missing_ok=True)
        print(f"{name}: {len(frame):,} rows")


if __name__ == "__main__":
    main()
