"""Helpers for a course on Selective Neuron Amplification (arXiv 2604.07098).

import snahelpers as sna

model = sna.load_model()
task = sna.load_tasks()["…"]
scores = sna.differential_activation(model, task.prompts, sna.load_neutral())
with sna.amplify(model, sna.Amplification(8, sna.top_neurons(scores, 8, k=10), 2.0)):
    print(sna.measure(model, task))
"""

from snahelpers import check, interference, plots, scoring, sentiment, stats, widgets
from snahelpers.amplification import Amplification, amplify
from snahelpers.checkpoints import answer_key
from snahelpers.contests import compare, contest, winners
from snahelpers.course import load_course, setup
from snahelpers.errors import DataError, ModelError, SilentEditError, SNAError
from snahelpers.files import data_path, read_results
from snahelpers.frames import task_level
from snahelpers.models import load_dimmed, load_model
from snahelpers.neurons import (
    activations,
    differential_activation,
    less_negative,
    loudest_layer,
    matched_neurons,
    max_activating_contexts,
    mean_activations,
    output_norms,
    random_neurons,
    top_neurons,
)
from snahelpers.scoring import measure, next_token_change
from snahelpers.stats import bootstrap_mean
from snahelpers.sweeps import Grid, suggest, sweep
from snahelpers.tasks import Example, Task, few, load_neutral, load_reviews, load_tasks
from snahelpers.zones import correlate, decompose, layer_peaks, summarize, zone

__all__ = [
    "Amplification",
    "DataError",
    "Example",
    "Grid",
    "Lab",
    "ModelError",
    "SNAError",
    "SilentEditError",
    "Task",
    "activations",
    "amplify",
    "answer_key",
    "bootstrap_mean",
    "check",
    "compare",
    "contest",
    "correlate",
    "data_path",
    "decompose",
    "differential_activation",
    "few",
    "interference",
    "layer_peaks",
    "less_negative",
    "load_course",
    "load_dimmed",
    "load_model",
    "load_neutral",
    "load_reviews",
    "load_tasks",
    "loudest_layer",
    "matched_neurons",
    "max_activating_contexts",
    "mean_activations",
    "measure",
    "next_token_change",
    "output_norms",
    "plots",
    "random_neurons",
    "read_results",
    "scoring",
    "sentiment",
    "setup",
    "stats",
    "suggest",
    "summarize",
    "sweep",
    "task_level",
    "top_neurons",
    "widgets",
    "winners",
    "zone",
]


def __getattr__(name: str):
    """The lab is loaded when it is first asked for: no other notebook needs it."""
    if name == "Lab":
        from snahelpers.lab import Lab

        return Lab
    raise AttributeError(f"module 'snahelpers' has no attribute {name!r}")
