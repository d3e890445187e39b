"""The paper's Figure 1 with movable thresholds: the panel of notebook 03."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from snahelpers import plots
from snahelpers.errors import SNAError
from snahelpers.widgets.panel import Panel
from snahelpers.zones import HIGH, LOW, zone

GAINS = {"pct_improvement": "improvement of P (%)", "delta_logodds": "change of log-odds"}


class ZoneMap(Panel):
    """The paper's Figure 1 for one configuration of a sweep, with movable thresholds.

    Args:
        frame: From `sweep`; its "test" rows are shown if it has them, else all.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        shown = frame[frame.split == "test"]
        self.frame = shown if len(shown) else frame
        columns = {"layer": "layer", "neurons": "n_neurons", "multiplier": "multiplier"}
        self.configuration = columns
        self.choices = {name: sorted(frame[column].unique()) for name, column in columns.items()}
        self.choices |= {
            "gain": ["pct_improvement", "delta_logodds"],
            "zone 1 below": (0.01, 0.5, 0.01),
            "zone 3 above": (0.01, 0.5, 0.01),
        }
        last = {name: values[-1] for name, values in self.choices.items()}
        last["layer"] = self.choices["layer"][len(self.choices["layer"]) // 2]
        self.start = last | {"gain": "pct_improvement", "zone 1 below": LOW, "zone 3 above": HIGH}

    def picture(self, **values) -> tuple[Figure, str]:
        """Every task by its baseline P and its gain under this configuration."""
        low, high = values["zone 1 below"], values["zone 3 above"]
        if low > high:
            raise SNAError(f"Zone 1 ends at {low:.2f}, above {high:.2f}, where Zone 3 begins.")
        here = np.logical_and.reduce(
            [self.frame[column] == values[name] for name, column in self.configuration.items()]
        )
        rows, gain = self.frame[here], values["gain"]
        title = (
            f"{values['neurons']} neurons of layer {values['layer']} × {values['multiplier']:.2f}"
        )
        zones = rows.p_base.map(lambda p: zone(p, low, high))
        means = rows.groupby(zones)[gain].mean()
        told = ", ".join(f"Zone {z}: {value:.3g}" for z, value in means.items())
        figure = plots.confidence_and_gain(
            rows, gain, title=title, ylabel=GAINS[gain], low=low, high=high
        )
        return figure, f"{title}. Mean {GAINS[gain]}: {told}."
