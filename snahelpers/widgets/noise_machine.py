"""Zones out of nothing but noise: the panel of notebook 07."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from snahelpers import plots
from snahelpers.controls.noise import best_of_noise
from snahelpers.widgets.panel import Panel

MEASURED = {"the prompts that chose it": "best_pct", "new prompts": "test_pct"}
REPEATS = 10  # a change is answered while the slider moves
ALWAYS_SHOWN = (-10.0, 50.0)  # per cent: small noise has to look small


class NoiseMachine(Panel):
    """Set the size of an effect that is noise, and watch the best of many configurations gain.

    Args:
        p: Baseline P of the tasks to show, such as `summarize(frame).p_base`.

    Raises:
        DataError: p is no list of probabilities above 0 and below 1.
    """

    def __init__(self, p: Sequence[float] | pd.Series) -> None:
        self.p = p
        self.choices = {
            "noise (nats)": (0.0, 0.5, 0.01),
            "configurations": [1, 12, 168, 1008, 2016],
            "prompts": [1, 2, 5, 10, 24],
            "measured on": list(MEASURED),
        }
        first = (0.1, 2016, 1, "the prompts that chose it")
        self.start = dict(zip(self.choices, first, strict=True))
        self.table(**self.start)

    def table(self, **values) -> pd.DataFrame:
        """Each task's best of so many configurations, as from `best_of_noise`."""
        return best_of_noise(
            self.p, values["noise (nats)"], configurations=values["configurations"],
            prompts=values["prompts"], repeats=REPEATS,
        )  # fmt: skip

    def picture(self, **values) -> tuple[Figure, str]:
        """Every task by its baseline P and by what its best configuration gains."""
        table, where, prompts = self.table(**values), values["measured on"], values["prompts"]
        gain = MEASURED[where]
        means = table.groupby("zone")[gain].mean()
        title = (
            f"Noise of {values['noise (nats)']:.2f} nats, best of {values['configurations']:,}: "
            f"Zone {means.index[0]} {means.iloc[0]:+.1f} % on {where}"
        )
        figure = plots.confidence_and_gain(
            table.assign(domain="only noise", difficulty=f"prompts: {prompts}"), gain, title=title,
            ylabel="improvement of P (%)",
        )  # fmt: skip
        figure.axes[0].set_ylim(_scale(table))
        told = ", ".join(f"Zone {z}: {value:+.1f}" for z, value in means.items())
        return figure, f"{title}. Prompts a task: {prompts}. Mean improvement (%): {told}."


def _scale(table: pd.DataFrame) -> tuple[float, float]:
    """The same for both kinds of prompts, so that dots are seen to fall on new ones."""
    gains = table[list(MEASURED.values())].to_numpy()
    return min(ALWAYS_SHOWN[0], 1.1 * gains.min()), max(ALWAYS_SHOWN[1], 1.1 * gains.max())
