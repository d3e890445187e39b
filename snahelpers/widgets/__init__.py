"""What can be moved: a panel for each notebook that has one, all made of `panel` and `live`."""

from snahelpers.widgets.explorer import Explorer
from snahelpers.widgets.interference_map import InterferenceMap
from snahelpers.widgets.margin_map import MarginMap
from snahelpers.widgets.noise_machine import NoiseMachine
from snahelpers.widgets.zone_map import ZoneMap

__all__ = ["Explorer", "InterferenceMap", "MarginMap", "NoiseMachine", "ZoneMap"]
