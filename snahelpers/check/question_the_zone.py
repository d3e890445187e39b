"""The exercises of notebook 08."""

import numpy as np

from snahelpers.check.exercise import Exercise

_CONFIDENCE, _GAIN = np.array([0.1, 0.3, 0.5, 0.8, 0.9]), np.array([0.6, 0.2, -0.1, 0.1, -1.0])
_GAINS = np.array([[2.0, 0.5, 0.3], [1.0, 0.8, 0.9], [0.1, -0.2, 1.5]])
_WRONG = ~np.eye(3, dtype=bool)

gated_gain = Exercise(
    right=lambda confidence, gain, threshold: np.where(confidence < threshold, gain, 0).mean(),
    cases=[(_CONFIDENCE, _GAIN, 0.4), (_CONFIDENCE, _GAIN, 0.8), (_CONFIDENCE, -_GAIN, 0.5)],
    mistakes=[
        (
            lambda confidence, gain, threshold: gain[confidence < threshold].mean(),
            "That is the mean over the amplified prompts. The others count too, with a change of "
            "0.",
        ),
        (
            lambda confidence, gain, threshold: np.where(confidence > threshold, gain, 0).mean(),
            "The gate is the wrong way round: amplify where confidence is *below* the threshold.",
        ),
        (
            lambda confidence, gain, threshold: gain.mean(),
            "That amplifies always. Where the model is confident, the change is 0.",
        ),
        (
            lambda confidence, gain, threshold: gain[confidence < threshold].sum(),
            "That is the sum: divide by the number of all prompts.",
        ),
        (
            lambda confidence, gain, threshold: np.where(confidence <= threshold, gain, 0).mean(),
            "At the threshold itself nothing is amplified: *below* is <.",
        ),
    ],
    praise="Right. Never is a gate too, of threshold 0, and gains exactly 0: that is to be beaten.",
)

right_less_wrong = Exercise(
    right=lambda gains: gains.diagonal().mean() - gains[_WRONG].mean(),
    cases=[(_GAINS,), (_GAINS.T - 1,), (np.ones((3, 3)),)],
    mistakes=[
        (
            lambda gains: gains.diagonal().mean(),
            "That is what right answers gain. Subtract what the wrong ones gain.",
        ),
        (
            lambda gains: gains.diagonal().mean() - gains.mean(),
            "The mean of the whole table holds the right answers too. Leave the diagonal out.",
        ),
        (
            lambda gains: gains[_WRONG].mean() - gains.diagonal().mean(),
            "Turned round: above 0 should mean that right answers gain more.",
        ),
        (
            lambda gains: gains.diagonal().mean() - np.where(_WRONG, gains, -np.inf).max(1).mean(),
            "That subtracts the wrong answer that gains most. Take the mean of all wrong ones.",
        ),
        (
            lambda gains: gains.diagonal() - np.where(_WRONG, gains, 0).sum(1) / 2,
            "That is one number a prompt. Return their mean.",
        ),
    ],
    praise="Right: 0 if every answer rises alike, however much that is.",
)

brings_facts_back = Exercise(
    right=lambda name, strength: name == "planted" and strength > 0,
    cases=[("planted", 0.3), ("absent", 0.3), ("planted", 0.0)],
    mistakes=[
        (
            lambda name, strength: True,
            "You say yes each time, also for facts that no model was ever taught. They gain, and "
            "so do wrong answers: how much more do right ones gain?",
        ),
        (
            lambda name, strength: strength > 0,
            "You say yes for absent facts at 0.3. Their answers rise as answers of a kind: does "
            "the interval of right less wrong lie above 0?",
        ),
        (
            lambda name, strength: name == "planted",
            "You say yes for planted facts at 0, where their neurons put out nothing. Measure; "
            "the name does not tell.",
        ),
        (
            lambda name, strength: False,
            "You say no each time, and a test that cannot say yes is worthless. At 0.3 the planted "
            "facts are there. Do you set right answers against those of *other* facts?",
        ),
    ],
    praise="Right: only what is there can be amplified, though all three gain log-odds.",
)
