"""The exercises of notebook 04."""

import numpy as np

from snahelpers.check.exercise import Exercise

_MAP = np.array([[0.1, 0.1, 0.1], [-1.0, 0.9, -1.0], [0.3, 0.2, 0.3], [-2.0, -2.0, -2.0]])
_DRAWS = np.array([0.1, 0.5, 0.3, 0.7, 0.2])

relative_depth = Exercise(
    right=lambda layer, n_layers: layer / (n_layers - 1),
    cases=[(0, 12), (11, 12), (8, 24)],
    mistakes=[
        (
            lambda layer, n_layers: layer / n_layers,
            "Then the last layer would lie below 1: layers count from 0, so divide by n_layers - "
            "1.",
        ),
        (
            lambda layer, n_layers: (layer + 1) / n_layers,
            "Then the first layer would not lie at 0: layers already count from 0.",
        ),
    ],
    praise="Right: the paper's layer 8 of 24 lies at 0.35, between layers 3 and 4 of minnow.",
)

peak_layer = Exercise(
    right=lambda effects: int(effects.mean(axis=1).argmax()),
    cases=[(_MAP,), (_MAP[::-1],)],
    mistakes=[
        (
            lambda effects: int(effects.max(axis=1).argmax()),
            "That is the layer of the single best configuration. Average over configurations "
            "first.",
        ),
        (
            lambda effects: int(effects.mean(axis=0).argmax()),
            "That averages over layers: rows are layers, so take the mean along axis 1.",
        ),
        (
            lambda effects: int(np.abs(effects).mean(axis=1).argmax()),
            "That is the largest effect in size, of either sign; a peak is the highest.",
        ),
    ],
    praise="Right: one lucky configuration does not make a peak.",
)

against_draws = Exercise(
    right=lambda observed, draws: (1 + (draws >= observed).sum()) / (1 + len(draws)),
    cases=[(0.6, _DRAWS), (0.5, _DRAWS), (0.9, _DRAWS)],
    mistakes=[
        (
            lambda observed, draws: (draws >= observed).mean(),
            "With this p can be 0, from five draws. The observed value is one draw too: add 1 to "
            "both.",
        ),
        (
            lambda observed, draws: (1 + (draws > observed).sum()) / (1 + len(draws)),
            "A draw that equals the observed one counts as well: use >=.",
        ),
        (
            lambda observed, draws: (1 + (draws <= observed).sum()) / (1 + len(draws)),
            "Turned round: count the draws that do *at least as well* as what was observed.",
        ),
    ],
    praise="Right: with 20 draws no p is below 1/21, however good the neurons are.",
)

beats_the_control = Exercise(
    right=lambda layer: layer == 7,
    cases=[(5,), (7,), (9,)],
    mistakes=[
        (
            lambda layer: True,
            "You say yes to all three, as she did. A gain above zero decides nothing: what would "
            "other neurons of the same layer have gained?",
        ),
        (
            lambda layer: layer in (7, 9),
            "You say yes to layer 9. How loud are your stand-ins there, beside the chosen neurons? "
            "(If they are as loud: take more draws, or other seeds.)",
        ),
        (
            lambda layer: layer in (5, 7),
            "You say yes to layer 5. One draw, or the mean of all, is beaten by luck: does the "
            "choice beat *every* draw?",
        ),
        (
            lambda layer: False,
            "You say no to all three, and a control that nothing can beat is useless. Are chosen "
            "neurons among your stand-ins? Is the gain that of the test half?",
        ),
    ],
    praise="Right: of the three gains only one is more than what neurons as loud do anyway.",
)
