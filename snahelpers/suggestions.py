"""A configuration without a sweep: a gradient says where, a second pass how far."""

import numpy as np
import pandas as pd
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplification import Amplification, amplify
from snahelpers.errors import check_number, check_range
from snahelpers.neurons import (
    attributions,
    matched_neurons,
    mean_activations,
    output_norms,
)
from snahelpers.scoring import measure
from snahelpers.sweeps import PAPER_GRID, Grid, layers_of
from snahelpers.tasks import Task


def suggest(
    model: TransformerBridge, task: Task, grid: Grid = PAPER_GRID, *, tries: int = 5
) -> pd.DataFrame:
    """Which layer, which neurons, which multiplier: chosen in two passes instead of a sweep.

    The first pass is gradient × activation (attribution patching), which knows how fast the
    answers' log-odds rise with every neuron's multiplier. By that alone the largest multiplier is
    always best. So the second pass measures it, at the layers that look best, and a parabola
    through slope and measured gain says which multiplier to take.

    The paper's choice of neurons (section 3.1) needs neither answers nor gradients, this one needs
    those of "select"; those of "test" are not looked at.

    Args:
        model: From `load_model`, not amplified.
        task: With "select" examples.
        grid: What to choose from: its layers, its largest count, its multipliers.
        tries: At how many layers to measure. The cost is 5 + tries passes over the prompts, a
            gradient counted as three.

    Returns:
        One row a layer that was tried, best first: layer, n_neurons, multiplier, expected (the gain
        by the parabola, in nats of mean Δlog-odds on "select"; at the largest multiplier it is the
        measured one), first_order (by the slope alone), control (by the slope alone too: the mean
        of 20 draws of matched random neurons), neurons (for `Amplification`).

    Raises:
        DataError: there are no "select" examples, or some cannot be asked of this model.
        SNAError: tries or the grid is out of range.
    """
    layers, k = layers_of(model, grid), max(grid.counts)
    check_range("tries", tries, 1, len(layers))
    steps = np.array(grid.multipliers) - 1
    far = float(steps[np.abs(steps).argmax()])
    check_number("How far the grid's multipliers go from 1", abs(far), 1e-6, np.inf)
    select, rows = task.split("select"), []
    before = measure(model, select).logodds
    slopes = attributions(model, select)
    loudness = mean_activations(model, select.prompts).abs() * output_norms(model)
    tops = {layer: slopes[layer].topk(k) for layer in layers}
    for layer in sorted(layers, key=lambda each: -tops[each].values.sum())[:tries]:
        slope, neurons = float(tops[layer].values.sum()), tops[layer].indices
        with amplify(model, Amplification(layer, neurons, 1 + far)):
            gained = (measure(model, select).logodds - before).mean()
        expected = steps * (slope + (gained / far - slope) / far * steps)
        best = expected.argmax()
        control = np.mean(
            [
                float(slopes[layer, matched_neurons(neurons, loudness[layer], seed)].sum())
                for seed in range(20)
            ]
        )
        rows.append(
            {
                "layer": layer,
                "n_neurons": k,
                "multiplier": grid.multipliers[best],
                "expected": expected[best],
                "first_order": steps[best] * slope,
                "control": steps[best] * control,
                "neurons": neurons.tolist(),
            }
        )
    return pd.DataFrame(rows).sort_values("expected", ascending=False, ignore_index=True)
