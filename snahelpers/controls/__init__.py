"""What amplification has to beat: rivals in the same sweep, chance, and the best of many."""

from snahelpers.controls.contest import compare, contest, winners
from snahelpers.controls.noise import best_of_noise
from snahelpers.controls.rival_sweep import rival_sweep
from snahelpers.controls.significance import bootstrap_mean, holm, max_t, power

__all__ = [
    "best_of_noise",
    "bootstrap_mean",
    "compare",
    "contest",
    "holm",
    "max_t",
    "power",
    "rival_sweep",
    "winners",
]
