"""Content of ``summary.json`` of a pool: plain values, the same numbers as in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmx.rules.pooling.pool import PooledParameters
from mmx.rules.pooling.table import PooledCustomer, PooledRow
from mmx.rules.pooling.traits import Trait
from mmx.tune_settings import PoolSettings

FORMAT = 1


def pool_content(
    pooled: PooledParameters,
    rows: Sequence[PooledRow],
    traits: Mapping[str, Mapping[str, Trait]],
    told: Mapping[str, Mapping[str, Any]],
    settings: PoolSettings,
) -> dict[str, Any]:
    """Return what was pooled and found.

    Parameters
    ----------
    pooled : PooledParameters
    rows : sequence of PooledRow
    traits : mapping
        By customer.
    told : mapping
        What is said of each customer's study.
    settings : PoolSettings
    """
    gate, flat = pooled.gate, [row.name for row in rows if row.flat]
    alarm = "" if gate.passed else f"NOT CONVERGED: {'; '.join(gate.reasons)}. Do not use this pool. "
    own = sum(_mean_weight(row) >= 0.5 for row in rows)
    headline = (
        f"{alarm}{len(pooled.customers)} customers, {len(rows)} parameters: in {own} of them a customer's own trials weigh "
        f"half or more in its value. Flat for all customers: {', '.join(flat) or 'none'}."
    )
    return {
        "format": FORMAT,
        "name": "customers",
        "headline": headline,
        "converged": gate.passed,
        "gate": {**vars(gate), "reasons": list(gate.reasons)},
        "mass": settings.mass,
        "customers": {name: {"traits": dict(traits[name]), **told[name]} for name in pooled.customers},
        "covariates": list(pooled.encoding.columns),
        "parameters": {row.name: _row(row) for row in rows},
        "flat": flat,
    }


def _mean_weight(row: PooledRow) -> float:
    return float(np.mean([one.weight for one in row.customers]))


def _row(row: PooledRow) -> dict[str, Any]:
    parameter = row.parameter
    return {
        "unit": parameter.unit,
        "low": parameter.low,
        "high": parameter.high,
        "default": parameter.default,
        "centre": _interval(row.centre),
        "spread": _interval(row.spread),
        "new_customer": _interval(row.range),
        "weight": _mean_weight(row),
        "customers": {one.name: _customer(one) for one in row.customers},
    }


def _customer(one: PooledCustomer) -> dict[str, Any]:
    return {"told": one.told, "own": one.own, "pooled": _interval(one.pooled), "weight": one.weight}


def _interval(values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("median", "low", "high"), values, strict=True))
