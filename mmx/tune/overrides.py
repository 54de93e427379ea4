"""Tuned parameters as overrides of a configuration: a YAML text that says only what differs from the defaults."""

from __future__ import annotations

import math

from mmx.rules.parameters import Space
from mmx.tune.problem import Floats


def yaml_diff(space: Space, vector: Floats, digits: int = 6) -> str:
    """What differs from the defaults, under ``rules.parameters.RULE.PARAMETER``, the default and the unit as a comment.

    Parameters
    ----------
    space : Space
    vector : array, (parameter,)
    digits : int
        Significant digits; rounding stays within the range.

    Returns
    -------
    str
        YAML that a configuration takes as it is; ``rules: {parameters: {}}`` where nothing differs.
    """
    rules: dict[str, list[str]] = {}
    for name, parameter, value in zip(space.names, space.parameters, vector, strict=True):
        rounded = min(max(_rounded(float(value), digits), parameter.low), parameter.high)
        if rounded == _rounded(parameter.default, digits):
            continue
        rule, _, own = name.rpartition(".")
        line = f"      {own}: {rounded!r}  # {parameter.unit}; default {parameter.default:g}"
        rules.setdefault(rule, []).append(line)
    if not rules:
        return "rules:\n  parameters: {}\n"
    blocks = [f"    {rule}:\n" + "\n".join(lines) for rule, lines in rules.items()]
    return "rules:\n  parameters:\n" + "\n".join(blocks) + "\n"


def _rounded(value: float, digits: int) -> float:
    if value == 0.0:
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))
