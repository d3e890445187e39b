"""Helpers for a course on Selective Neuron Amplification (arXiv 2604.07098).

import snahelpers as sna

model = sna.load_model()
task = sna.load_tasks()["…"]
scores = sna.differential_activation(model, task.prompts, sna.load_neutral())
with sna.amplify(model, sna.Amplification(8, sna.top_neurons(scores, 8, k=10), 2.0)):
    print(sna.measure(model, task))
"""

from snahelpers import check, plots
from snahelpers.amplify import Amplification, amplify
from snahelpers.checkpoints import embedded_models
from snahelpers.errors import DataError, ModelError, SilentEditError, SNAError
from snahelpers.files import data_path
from snahelpers.measure import measure, neutral_perplexity, next_token_change, next_tokens
from snahelpers.models import load_model, setup
from snahelpers.neurons import (
    activations,
    contrastive_neurons,
    differential_activation,
    less_negative,
    loudest_layer,
    max_activating_contexts,
    mean_activations,
    random_neurons,
    top_neurons,
)
from snahelpers.tasks import (
    Example,
    Task,
    load_neutral,
    load_reviews,
    load_tasks,
    prompt_groups,
    target_ids,
)
from snahelpers.widgets import Explorer
from snahelpers.zones import zone

__all__ = [
    "Amplification",
    "DataError",
    "Example",
    "Explorer",
    "ModelError",
    "SNAError",
    "SilentEditError",
    "Task",
    "activations",
    "amplify",
    "check",
    "contrastive_neurons",
    "data_path",
    "differential_activation",
    "embedded_models",
    "less_negative",
    "load_model",
    "load_neutral",
    "load_reviews",
    "load_tasks",
    "loudest_layer",
    "max_activating_contexts",
    "mean_activations",
    "measure",
    "neutral_perplexity",
    "next_token_change",
    "next_tokens",
    "plots",
    "prompt_groups",
    "random_neurons",
    "setup",
    "target_ids",
    "top_neurons",
    "zone",
]
