"""A sweep's table in, small tables out: the paper's metrics and zones (sections 3.4 to 5.1)."""

from snahelpers.zones.calibration import calibrate_zones
from snahelpers.zones.correlation import correlate, correlate_facts
from snahelpers.zones.decomposition import decompose, layer_peaks
from snahelpers.zones.metrics import (
    GROUPS,
    HIGH,
    LOW,
    MIDDLE_95,
    check_table,
    finite_tasks,
    select_rows,
    summarize,
    zone,
)

__all__ = [
    "GROUPS",
    "HIGH",
    "LOW",
    "MIDDLE_95",
    "calibrate_zones",
    "check_table",
    "correlate",
    "correlate_facts",
    "decompose",
    "finite_tasks",
    "layer_peaks",
    "select_rows",
    "summarize",
    "zone",
]
