"""What a fit reports, as plain tables: the only form in which reports, files and tracking see numbers of a fit.

Every interval is equal-tailed 90 % (``q05``, ``q95``); every number is computed once, from the stored draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

STATS = ("mean", "median", "q05", "q95")


@dataclass(frozen=True)
class FitTables:
    """Tables of one fit.

    Attributes
    ----------
    channels : DataFrame, one row per medium or treatment, in the order paid, organic, treatment
        ``channel, kind`` (paid | organic | treatment)``, spend`` (NaN unless paid), and ``{quantity}_{stat}`` for
        quantity in ``roas, mroas, roas_long, mroas_long, contribution, contribution_long, contribution_share, half_life,
        carryover_share`` and, for counts, ``cpa``, and stat in ``mean, median, q05, q95`` (ROAS columns NaN unless paid).
        Money, or KPI units for an index; ROAS is KPI money per unit of money; shares are of the KPI in the window; half-lives
        are in periods, the carryover share is of an effect after its own period, ``cpa`` is spend per KPI unit, infinite in
        draws without an effect.
    contributions : DataFrame
        ``date, channel, mean, median, q05, q95``: money per period of the window, summed over geos, paid, organic and
        treatments.
    baseline : DataFrame
        ``date, component, mean, median, q05, q95`` in money per period, summed over geos. Components: ``baseline`` (the
        sum of the following), ``intercept, trend, season, drift, controls, events`` (those that exist), and
        ``carry_in``, the effect of media before the window, which is not part of ``baseline``.
    fitted : DataFrame
        ``date, kpi, mean, q05, q95``: KPI and posterior prediction in KPI units, summed over geos, with noise in the
        interval.
    curves : DataFrame
        ``channel, multiplier, spend, mean, median, q05, q95, observed``: KPI money in the window, or KPI units for an
        index, if every cell's spend (exposure for organic media) is multiplied; ``observed`` is False where the median
        active cell would exceed the largest observed one.
    fit : dict
        ``r2, mape, wape, crps, coverage90`` over the cells of the window in KPI units; ``mape`` is None where a KPI is 0.
        ``negative_baseline`` is the probability that the window's baseline is below zero, ``negative_baseline_periods`` the
        mean share of its periods in which it is.
    parameters : DataFrame
        ``name, mean, sd, q05, q95, rhat, ess_bulk, ess_tail`` of all sampled parameters.
    decomposition : {"counterfactual", "log-mean Divisia"}
        What the periods of ``contributions`` and ``baseline`` are: of a multiplicative model, where counterfactual
        contributions do not add up, shares by the log-mean Divisia index, which do. ``channels`` is always counterfactual.
    forecast : DataFrame or None
        Of ``mmx.mmm.forecast.forecast``, where the table goes on after the window.
    """

    channels: pd.DataFrame
    contributions: pd.DataFrame
    baseline: pd.DataFrame
    fitted: pd.DataFrame
    curves: pd.DataFrame
    fit: dict[str, float | None]
    parameters: pd.DataFrame
    decomposition: str = "counterfactual"
    forecast: pd.DataFrame | None = None

    def channel_stats(self) -> dict[str, dict[str, Any]]:
        """``{channel: {spend, roas: {mean, ...}, ...}}`` as in ``summary.json``; quantities that do not exist are left out."""
        quantities = [c.removesuffix("_mean") for c in self.channels.columns if c.endswith("_mean")]
        out: dict[str, dict[str, Any]] = {}
        for row in self.channels.to_dict("records"):
            stats: dict[str, Any] = {"kind": row["kind"]}
            if pd.notna(row["spend"]):
                stats["spend"] = float(row["spend"])
            for quantity in quantities:
                if pd.notna(row[f"{quantity}_median"]):
                    values = {stat: float(row[f"{quantity}_{stat}"]) for stat in STATS}
                    stats[quantity] = {stat: value if math.isfinite(value) else None for stat, value in values.items()}
            out[str(row["channel"])] = stats
        return out
