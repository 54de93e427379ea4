"""What MLflow accepts: names and values made fit for its limits, without losing anything in silence.

A name may hold letters, digits, ``_ - . : /`` and spaces; a parameter is cut with a marker; a metric must be finite.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

# Limits of MLflow's store, not choices of ours, except for the length of a parameter: longer ones make its tables unreadable.
PARAM_LENGTH = 500
TAG_LENGTH = 5000
NAME_LENGTH = 250
NOT_FINITE = "mmx.not_finite"
_REFUSED = re.compile(r"[^/\w.\- :]")


def clean_name(name: str) -> str:
    """Return the nearest name that MLflow accepts: refused characters become ``_``."""
    text = _REFUSED.sub("_", str(name))
    parts = [part for part in text.split("/") if part not in ("", ".")]
    text = "/".join("_" if part == ".." else part for part in parts)[:NAME_LENGTH]
    return posixpath.normpath(text) if text else "_"


def unique_names(names: Iterable[str]) -> dict[str, str]:
    """Map names to accepted names, distinct names to distinct ones."""
    taken: set[str] = set()
    out: dict[str, str] = {}
    for name in names:
        base = clean_name(name)
        candidate, count = base, 1
        while candidate in taken:
            count += 1
            candidate = f"{base[: NAME_LENGTH - 5]}_{count}"
        taken.add(candidate)
        out[name] = candidate
    return out


def cut(text: str, length: int) -> str:
    """Shorten text to ``length`` characters, saying how many were there."""
    if len(text) <= length:
        return text
    marker = f"... [cut, {len(text)} characters]"
    return text[: length - len(marker)] + marker


def accepted_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as text under accepted names."""
    names = unique_names(params)
    return {names[key]: cut(_text(value), PARAM_LENGTH) for key, value in params.items()}


def accepted_metrics(metrics: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """Return the finite metrics under accepted names, and the names of those that are not finite numbers."""
    names = unique_names(metrics)
    finite: dict[str, float] = {}
    skipped = []
    for key, value in metrics.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number):
            finite[names[key]] = number
        else:
            skipped.append(names[key])
    return finite, skipped


def accepted_tags(tags: Mapping[str, Any], not_finite: Iterable[str] = ()) -> dict[str, str]:
    """Return tags as text under accepted names, without those that are None, plus the list of skipped metrics."""
    given = {key: value for key, value in tags.items() if value is not None}
    skipped = ", ".join(not_finite)
    if skipped:
        given[NOT_FINITE] = skipped
    names = unique_names(given)
    return {names[key]: cut(_text(value), TAG_LENGTH) for key, value in given.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:.10g}" if isinstance(value, float) else str(value)
