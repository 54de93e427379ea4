"""The evaluation of plans for Python callers: compiled where a decision is asked for, which a fit alone never does."""

from __future__ import annotations

from mmx.machine.entry import c_function
from mmx.mmm.evaluate_data import LAYOUTS
from mmx.mmm.evaluate_options import OPTIONS
from mmx.mmm.evaluate_plans import by_plan, past_states

FUNCTIONS = {
    "by_plan": c_function(by_plan, LAYOUTS["by_plan"], OPTIONS),
    "past_states": c_function(past_states, LAYOUTS["past_states"], OPTIONS),
}
