"""Sentences and tables of a pool that report and terminal share; they read ``summary.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Rows = list[list[str]]
PARAMETER_HEADER = ["Parameter", "Default", "Population", "Between customers (logits)", "A new customer", "Own trials weigh"]
CUSTOMER_HEADER = ["Customer", "Its trials say", "Own", "With all customers", "Own trials weigh"]
STUDY_HEADER = ["Customer", "Spend per day", "Order value", "Ad sets", "Platform", "Trials", "Searched"]


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """What a reader should know before the tables."""
    mass = f"{100 * summary['mass']:.0f} %"
    said = [
        f"Values are medians with central {mass} intervals, in the parameter's unit. The population's is that of a customer "
        "with the average traits of these; a new customer differs from it as these customers do from each other.",
        "A customer's own value is the optimum of a smooth surrogate of its trials; with all customers it is drawn towards "
        "what its traits let expect, the more, the less its trials say. At an end of the search they say only that it lies "
        "beyond.",
    ]
    few = len(summary["customers"])
    if few < 8:
        said.append(f"{few} customers tell little of how customers differ: the spread between them rests largely on its prior.")
    return said


def parameter_rows(summary: Mapping[str, Any]) -> Rows:
    """One row per parameter."""
    return [
        [name, f"{p['default']:.4g}", _interval(p["centre"]), _interval(p["spread"]), _interval(p["new_customer"]), _share(p)]
        for name, p in summary["parameters"].items()
    ]


def customer_rows(parameter: Mapping[str, Any]) -> Rows:
    """One row per customer of a parameter."""
    return [
        [name, c["told"], "" if c["own"] is None else f"{c['own']:.4g}", _interval(c["pooled"]), _share(c)]
        for name, c in parameter["customers"].items()
    ]


def study_rows(summary: Mapping[str, Any]) -> Rows:
    """One row per customer: traits, and the size of its study."""
    rows = []
    for name, one in summary["customers"].items():
        t = one["traits"]
        amounts = [f"{t[key]:,.4g}" for key in ("spend", "order_value", "ad_sets")]
        rows.append([name, *amounts, str(t["platform"]), f"{one['trials']:,}", str(one["searched"])])
    return rows


def flat_sentences(summary: Mapping[str, Any]) -> list[str]:
    """Flat directions by customer, named."""
    said = []
    for name in summary["customers"]:
        of = {word: [p for p, row in summary["parameters"].items() if row["customers"][name]["told"] == word] for word in WORDS}
        parts = [f"{word}: {', '.join(found)}" for word, found in of.items() if found]
        said.append(f"{name}: {'; '.join(parts)}." if parts else f"{name}: its trials say something of every parameter.")
    return said


WORDS = ("flat", "not searched")


def _interval(values: Mapping[str, float]) -> str:
    return f"{values['median']:.3g} ({values['low']:.3g} to {values['high']:.3g})"


def _share(values: Mapping[str, Any]) -> str:
    return f"{100 * values['weight']:.0f} %"
