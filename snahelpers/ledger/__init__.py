"""The paper's claims beside what was measured: `evidence` measures, `claims` judges."""

from snahelpers.ledger.claims import as_markdown, ledger, load_claims
from snahelpers.ledger.evidence import measure_layers, measure_sweep
from snahelpers.ledger.side_evidence import measure_interference, measure_sentiment

__all__ = [
    "as_markdown",
    "ledger",
    "load_claims",
    "measure_interference",
    "measure_layers",
    "measure_sentiment",
    "measure_sweep",
]
