"""The JSON Schema of ``recommendation.json``, draft 2020-12, made from the dataclasses and a sentence per field.

    python -m mmx.report.recommendation_schema > mmx/report/recommendation.schema.json

Structure and types come from the dataclasses, so that a field cannot be forgotten; what a field means and its unit stand in
``FIELDS``. ``x-unit`` is one of ``money`` (of spend), ``KPI money`` (what the field ``money`` names), ``objective`` (that of
the field ``objective``), ``share``, ``ratio``, ``periods`` and ``ROAS``; fields without one have no unit.
"""

from __future__ import annotations

import json
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from mmx.decide.recommendation import FORMAT, Recommendation

FILE = Path(__file__).with_name("recommendation.schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTITY = f"urn:mmx:recommendation:{FORMAT}"
_DATE = {"format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
_PLAIN = {float: "number", int: "integer", str: "string", bool: "boolean", type(None): "null"}

# Per class: what it is, then per field a sentence, its unit, and what else holds.
Told = tuple[str, str] | tuple[str, str, dict[str, Any]]
FIELDS: dict[str, tuple[str, dict[str, Told]]] = {
    "Interval": (
        "Posterior mean and equal-tailed 90 % interval; its unit is that of the field that holds it.",
        {"mean": ("Posterior mean.", ""), "q05": ("5 % quantile.", ""), "q95": ("95 % quantile.", "")},
    ),
    "Cell": (
        "Spend of one channel in one geo over one period of the horizon.",
        {
            "channel": ("Name of the channel.", ""),
            "geo": ("Name of the geo.", ""),
            "start": ("First day of the period.", "", _DATE),
            "end": ("Last day of the period.", "", _DATE),
            "current": ("Spend of the current plan.", "money"),
            "recommended": ("Spend of the recommended plan.", "money"),
        },
    ),
    "ChannelPlan": (
        "What the plan does with one channel over the horizon.",
        {
            "current_spend": ("Spend of the current plan: the sum of its cells.", "money"),
            "recommended_spend": ("Spend of the recommended plan: the sum of its cells.", "money"),
            "multiplier": ("Recommended over current spend; 1 where both are 0.", "ratio"),
            "low": ("Least spend that the channel's own bounds allow.", "money"),
            "high": ("Largest spend that the channel's own bounds allow.", "money"),
            "extra": (
                "What the recommended plan brings through this channel over the current plan scaled to the same total, "
                "carryover included; the means add up to the gain.",
                "KPI money",
            ),
            "net": ("Mean of extra less what the moved money earns at the plan's shadow price.", "KPI money"),
            "mroas_current": ("Marginal ROAS of +1 % of every cell at the current plan.", "ROAS"),
            "mroas_recommended": ("Marginal ROAS of +1 % of every cell at the recommended plan.", "ROAS"),
            "optimum": ("Spend of the best plan of each posterior draw.", "money"),
            "at_bounds": (
                "Shares of draws whose best plan has the channel at its least and at its largest spend, in this order.",
                "share",
            ),
            "binding": ("What holds the channel, in words; empty where nothing does.", ""),
            "outside_observed": ("Whether the plan leaves the spend that was observed in some geo.", ""),
            "outside": ("Largest planned spend of a geo and period over the largest observed there.", "ratio"),
        },
    ),
    "Certificate": (
        "The plan's objective against a number that no allowed plan exceeds, both on all posterior draws.",
        {
            "certified": ("Whether the bound is valid and close enough to the plan.", ""),
            "value": ("The plan's objective.", "objective"),
            "bound": ("No allowed plan has a higher objective; null where no such number is known.", "objective"),
            "gap": ("Bound less value, at least 0.", "objective"),
            "relative_gap": (
                "The gap over the plan's mean KPI money, or over the objective where that is larger; of a probability the gap.",
                "share",
                {"maximum": None},
            ),
            "method": ("How plan and bound were found, in words.", ""),
            "reason": ("Why the plan is not certified; empty if it is.", ""),
        },
    ),
    "Flip": (
        "The smallest change that turns the plan's largest move around, or takes it away.",
        {
            "channel": ("The channel of the largest move.", ""),
            "kind": ("What changes: the effect of the channel, or the total.", "", {"enum": ["belief", "budget"]}),
            "factor": ("Factor on the effect or the total; null where none within the range does it.", "ratio"),
            "searched": ("Least and largest factor that were searched.", "ratio"),
        },
    ),
    "Frontier": (
        "One plan of the efficient frontier of gain against risk.",
        {
            "level": ("Share of worst draws whose mean the plan maximises; 1 is the mean.", "share"),
            "gain": ("Gain over the current plan scaled to the same total.", "KPI money"),
            "worst": ("Mean gain of the worst tenth of draws.", "KPI money"),
            "probability_better": ("Share of posterior draws with a positive gain.", "share"),
            "spend": ("Spend by channel.", "money"),
        },
    ),
    "Scenario": (
        "One answer of several side by side.",
        {
            "name": ("Name of the scenario.", ""),
            "objective": ("What the plan maximises, in words.", ""),
            "total": ("Spend over the horizon.", "money"),
            "gain": ("Gain over the current plan as it is, so that more or less spend counts.", "KPI money"),
            "profit": ("Gain times the margin less the change of the total; null without a margin.", "money"),
            "probability_better": ("Share of draws with a gain over the current plan scaled to the same total.", "share"),
            "certified": ("Whether the plan is certified.", ""),
            "relative_gap": ("As in the certificate; null without a bound.", "share", {"maximum": None}),
            "spend": ("Spend by channel.", "money"),
        },
    ),
    "CurvePoint": (
        "What a channel brings at one spend.",
        {
            "spend": ("Spend over the horizon.", "money"),
            "value": ("What it brings over no spend of the channel, carryover included.", "KPI money"),
            "mroas": ("Slope of the mean, all cells scaled together; at no spend, up to the next point.", "ROAS"),
        },
    ),
    "Curve": (
        "Response of one channel to its spend: its cells scaled together, all other channels as recommended.",
        {
            "channel": ("Name of the channel.", ""),
            "current": ("Spend of the current plan, one of the points.", "money"),
            "recommended": ("Spend of the recommended plan, one of the points.", "money"),
            "observed": (
                "Spend at which a geo first reaches its largest observed spend of a period; 0 where some geo never spent. "
                "Beyond it the curve is extrapolated.",
                "money",
            ),
            "points": ("The curve by rising spend, from none.", ""),
        },
    ),
    "TestValue": (
        "What an experiment would be worth to this decision.",
        {
            "channel": ("The channel that is tested.", ""),
            "design": ("The design in words.", ""),
            "periods": ("How long it runs.", "periods"),
            "geos": ("Where it runs; empty for all geos.", ""),
            "change": ("Factor on the tested spend less one: -1 is dark.", "ratio"),
            "delta_spend": ("Spend that the test adds; negative where it takes spend away.", "money"),
            "cost": ("Expected KPI money lost while it runs, less the spend that it saves.", "KPI money"),
            "information": ("Expected value of sample information per horizon, in the mean.", "KPI money"),
            "information_error": ("Monte-Carlo standard error of information.", "KPI money"),
            "se": ("Standard error of the test's ROAS.", "ROAS"),
            "width": ("Width of the 90 % interval of ROAS after the test over today's.", "ratio"),
            "power": ("Chance that the test's 90 % interval leaves out zero.", "share"),
            "changes_largest_move": ("Share of results after which the largest move turns around or goes away.", "share"),
        },
    ),
    "Turnover": (
        "What changes against an earlier recommendation, at the new total.",
        {
            "fit_name": ("Name of the configuration behind the earlier recommendation.", ""),
            "start": ("First day of its first period.", "", _DATE),
            "end": ("First day of its last period.", "", _DATE),
            "moved": ("Share of the money that moves between the two plans.", "share"),
            "channels": ("Spend by channel over that of the earlier plan; adds up to 0.", "money"),
            "lost": ("What keeping the earlier plan would lose, on the draws of the new fit.", "KPI money"),
            "lost_share": ("Mean of lost over what the new plan brings; null where that is nothing.", "ratio"),
            "probability_better": ("Share of posterior draws in which the new plan brings more.", "share"),
            "allowed": ("Whether the earlier plan meets today's constraints.", ""),
        },
    ),
    "Recommendation": (
        "The plan that is best by an objective, within constraints.",
        {
            "objective": ("What the plan maximises, in words; of KPI money with carryover after the horizon.", ""),
            "goal": ("How the total was chosen, in words.", ""),
            "certificate": ("How good the plan is known to be.", ""),
            "total": ("Spend over the horizon: the sum of all recommended cells.", "money"),
            "remainder": ("What integer steps leave of a fixed total.", "money"),
            "current_total": ("Spend of the current plan as it was.", "money"),
            "shadow_price": ("What one more unit of money would bring, by the objective; null where there is none.", "ROAS"),
            "horizon": ("Length of the plan.", "periods"),
            "start": ("First day of the first period.", "", _DATE),
            "end": ("First day of the last period.", "", _DATE),
            "reference": ("Which window is the current plan: last, last_year or planned.", ""),
            "money": ("What KPI money is counted in: a currency, money or KPI units.", ""),
            "converged": ("Whether the fit passed its gate; decide nothing where it did not.", ""),
            "gate_reasons": ("Why the fit failed its gate; empty when it passed.", ""),
            "gain": ("What the plan brings over the current plan scaled to the same total.", "KPI money"),
            "nothing": ("What the current plan, scaled to the same total, brings over no spend at all.", "KPI money"),
            "probability_better": ("Share of posterior draws with a positive gain.", "share"),
            "draws": ("Posterior draws that plan, gain and certificate are of.", ""),
            "channels": ("The plan by channel.", ""),
            "cells": ("The plan by channel, geo and period.", ""),
            "constraints": ("Every constraint in the user's words; those that bind begin with 'binds: '.", ""),
            "flips": ("What would change the advice.", ""),
            "modes": ("Whether the best plan per draw has several centres, in words; empty where it has one.", ""),
            "frontier": ("Plans of gain against risk.", ""),
            "scenarios": ("Other answers side by side.", ""),
            "tests": ("Experiments by what they are worth, largest first.", ""),
            "unknowns": ("What the model does not know about the plan.", ""),
            "notes": ("Data notes and decisions that a reader should know.", ""),
            "fit_name": ("Name of the configuration that was fitted.", ""),
            "curves": ("Response curves of the channels that have spend, may get some or had some.", ""),
            "turnover": ("What changes against an earlier recommendation; null where none was given.", ""),
            "format": ("Version of this format.", "", {"const": FORMAT}),
        },
    ),
}


def schema() -> dict[str, Any]:
    """Return the schema.

    Raises
    ------
    ValueError
        If ``FIELDS`` tells a class or field that the dataclasses lack, or does not tell one that they have.
    """
    definitions: dict[str, Any] = {}
    main = _object(Recommendation, definitions)
    if unknown := set(FIELDS) - {*definitions, Recommendation.__name__}:
        raise ValueError(f"FIELDS tells {', '.join(sorted(unknown))}, which no recommendation holds. Take them out")
    return {"$schema": DIALECT, "$id": IDENTITY, "title": "mmx recommendation", **main, "$defs": definitions}


def text() -> str:
    """Return the content of ``recommendation.schema.json``."""
    return json.dumps(schema(), indent=2) + "\n"


def _object(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    """A dataclass as an object of exactly its fields; the dataclasses that it holds go to ``definitions``."""
    assert is_dataclass(kind)
    types_of = get_type_hints(kind)
    if kind.__name__ not in FIELDS:
        raise ValueError(f"{kind.__name__} is not in FIELDS. Say there what it is, and what its fields are")
    summary, told = FIELDS[kind.__name__]
    names = [f.name for f in fields(kind)]
    if different := set(names) ^ set(told):
        raise ValueError(f"FIELDS and {kind.__name__} differ in {', '.join(sorted(different))}. Tell exactly the fields")
    properties = {}
    for name in names:
        sentence, unit, *more = told[name]
        found = _shape(types_of[name], definitions, {"minimum": 0, "maximum": 1} if unit == "share" else {})
        found |= more[0] if more else {}
        told_unit = {"x-unit": unit} if unit else {}
        kept = {key: value for key, value in found.items() if value is not None}
        properties[name] = {"description": sentence, **told_unit, **kept}
    return {
        "type": "object",
        "description": summary,
        "properties": properties,
        "required": names,
        "additionalProperties": False,
    }


def _shape(kind: Any, definitions: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """A type as a schema; ``limits`` are those of its numbers."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, Union):
        (one,) = (arg for arg in inner if arg is not type(None))
        found = _shape(one, definitions, limits)
        if "type" in found:
            return {**found, "type": [found["type"], "null"]}
        return {"anyOf": [found, {"type": "null"}]}
    if origin is tuple and inner[-1] is ...:
        return {"type": "array", "items": _shape(inner[0], definitions, limits)}
    if origin is tuple:
        items = [_shape(arg, definitions, limits) for arg in inner]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _shape(inner[1], definitions, limits)}
    if is_dataclass(kind):
        assert isinstance(kind, type)
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}  # Its place in the order.
            definitions[kind.__name__] = _object(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    return {"type": _PLAIN[kind], **(limits if kind is float else {})}


if __name__ == "__main__":
    print(text(), end="")
