"""Make the sweeps that notebooks 03 and 04 read instead of waiting for them: data/results/.

    python tools/make_results.py            all of them; a sweep that was stopped goes on
    python tools/make_results.py minnow     only this one

`tests/test_results.py` recomputes a random sample of their rows.
"""

import argparse

import pandas as pd

import snahelpers as sna

FOLDER = sna.data_path("results")
DRAWS = 20
SMALL = sna.Grid(counts=(5, 10, 25), multipliers=(1.5, 2.4))


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


SWEEPS = {
    "minnow": sweep_minnow,
    "minnow-matched": sweep_matched,
    "minnow-seeds": sweep_seeds,
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
