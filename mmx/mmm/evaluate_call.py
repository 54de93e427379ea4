"""The evaluation's functions for Python callers. Imported only where they are compiled."""

from __future__ import annotations

from mmx.machine.entry import c_function
from mmx.mmm.evaluate_baseline import coefficients
from mmx.mmm.evaluate_data import LAYOUTS
from mmx.mmm.evaluate_options import OPTIONS
from mmx.mmm.evaluate_sums import by_group, by_period

FUNCTIONS = {
    name: c_function(called, LAYOUTS[name], OPTIONS)
    for name, called in (("by_period", by_period), ("by_group", by_group), ("coefficients", coefficients))
}
