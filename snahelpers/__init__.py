"""Helpers for a course on Selective Neuron Amplification (arXiv 2604.07098).

import snahelpers as sna

model = sna.load_model()
task = sna.load_tasks()["…"]
scores = sna.differential_activation(model, task.prompts, sna.load_neutral())
with sna.amplify(model, sna.Amplification(8, sna.top_neurons(scores, 8, k=10), 2.0)):
    print(sna.measure(model, task))
"""

from snahelpers import check, generate, interference, plots, sentiment
from snahelpers.amplify import Amplification, amplify
from snahelpers.attribution import attributions
from snahelpers.checkpoints import embedded_models
from snahelpers.choose import (
    contrastive_neurons,
    less_negative,
    loudest_layer,
    matched_neurons,
    random_neurons,
    top_neurons,
)
from snahelpers.controls import (
    best_of_noise,
    bootstrap_mean,
    compare,
    contest,
    holm,
    max_t,
    power,
    rival_sweep,
    winners,
)
from snahelpers.errors import DataError, ModelError, SilentEditError, SNAError
from snahelpers.files import data_path
from snahelpers.lab import Lab
from snahelpers.ledger import (
    as_markdown,
    ledger,
    load_claims,
    measure_interference,
    measure_layers,
    measure_sentiment,
    measure_sweep,
)
from snahelpers.measure import measure, neutral_perplexity, next_token_change
from snahelpers.models import load_model, setup
from snahelpers.neurons import (
    activations,
    differential_activation,
    max_activating_contexts,
    mean_activations,
    output_norms,
)
from snahelpers.positive_control import answer_key, load_dimmed
from snahelpers.sweep import Grid, sweep, task_level
from snahelpers.tasks import (
    Example,
    Task,
    load_neutral,
    load_reviews,
    load_tasks,
    prompt_groups,
    target_ids,
)
from snahelpers.widgets import Explorer, InterferenceMap, MarginMap, NoiseMachine, ZoneMap
from snahelpers.zones import (
    calibrate_zones,
    correlate,
    correlate_facts,
    decompose,
    layer_peaks,
    summarize,
    zone,
)

__all__ = [
    "Amplification",
    "DataError",
    "Example",
    "Explorer",
    "Grid",
    "InterferenceMap",
    "Lab",
    "MarginMap",
    "ModelError",
    "NoiseMachine",
    "SNAError",
    "SilentEditError",
    "Task",
    "ZoneMap",
    "activations",
    "amplify",
    "answer_key",
    "as_markdown",
    "attributions",
    "best_of_noise",
    "bootstrap_mean",
    "calibrate_zones",
    "check",
    "compare",
    "contest",
    "contrastive_neurons",
    "correlate",
    "correlate_facts",
    "data_path",
    "decompose",
    "differential_activation",
    "embedded_models",
    "generate",
    "holm",
    "interference",
    "layer_peaks",
    "ledger",
    "less_negative",
    "load_claims",
    "load_dimmed",
    "load_model",
    "load_neutral",
    "load_reviews",
    "load_tasks",
    "loudest_layer",
    "matched_neurons",
    "max_activating_contexts",
    "max_t",
    "mean_activations",
    "measure",
    "measure_interference",
    "measure_layers",
    "measure_sentiment",
    "measure_sweep",
    "neutral_perplexity",
    "next_token_change",
    "output_norms",
    "plots",
    "power",
    "prompt_groups",
    "random_neurons",
    "rival_sweep",
    "sentiment",
    "setup",
    "summarize",
    "sweep",
    "target_ids",
    "task_level",
    "top_neurons",
    "winners",
    "zone",
]
