"""Exercise checks: `sna.check.start_here.zone(my_zone)` says ⏳ not tried, ✗ with a hint, or ✓.

A check knows a right answer and the mistakes people make, each with the sentence that helps. One
module a notebook.
"""

from snahelpers.check import (
    bring_your_own,
    claim_tests,
    classify_sentiment,
    find_the_layer,
    find_the_neurons,
    go_beyond,
    hook_and_amplify,
    map_the_zones,
    measure_a_real_model,
    measure_interference,
    question_the_zone,
    start_here,
)

__all__ = [
    "bring_your_own",
    "claim_tests",
    "classify_sentiment",
    "find_the_layer",
    "find_the_neurons",
    "go_beyond",
    "hook_and_amplify",
    "map_the_zones",
    "measure_a_real_model",
    "measure_interference",
    "question_the_zone",
    "start_here",
]
