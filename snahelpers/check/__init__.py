"""Exercise checks: `sna.check.zone(my_zone)` says ⏳ not tried, ✗ with a hint, or ✓.

A check knows a right answer and the mistakes people make, each with the sentence that helps. One
module a notebook.
"""

from snahelpers.check.claim_tests import (
    best_of_many_p_value,
    gated_gain,
    recovered_share,
    winner_on_new_prompts,
)
from snahelpers.check.classify_sentiment import (
    flip_point,
    margin_zone,
    possible_percentage,
    right_after,
)
from snahelpers.check.find_the_layer import against_draws, peak_layer, relative_depth
from snahelpers.check.find_the_neurons import chance, differential, precision_recall
from snahelpers.check.hook_and_amplify import added_vector, hooked_twice, scaling_hook
from snahelpers.check.map_the_zones import shifted_probability, success_and_golden, task_improvement
from snahelpers.check.measure_interference import (
    jaccard,
    perplexity,
    repetition_rate,
    untouched_layers,
)
from snahelpers.check.start_here import ceiling, improvement, zone

__all__ = [
    "added_vector",
    "against_draws",
    "best_of_many_p_value",
    "ceiling",
    "chance",
    "differential",
    "flip_point",
    "gated_gain",
    "hooked_twice",
    "improvement",
    "jaccard",
    "margin_zone",
    "peak_layer",
    "perplexity",
    "possible_percentage",
    "precision_recall",
    "recovered_share",
    "relative_depth",
    "repetition_rate",
    "right_after",
    "scaling_hook",
    "shifted_probability",
    "success_and_golden",
    "task_improvement",
    "untouched_layers",
    "winner_on_new_prompts",
    "zone",
]
