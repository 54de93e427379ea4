"""Sentences that several outputs share: the gate's verdict, definitions, and what the units are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmx.report import format as fmt

KPI_UNITS = "KPI units"
NO_CURRENCY = "money"
INTERVAL = "90 % interval"


@dataclass(frozen=True)
class Units:
    """How money and what the media bring are called.

    Attributes
    ----------
    spend : str
        Unit of spend, such as ``EUR``; empty where the configuration names none.
    value : str
        Unit of contribution and gain: the currency, ``KPI units`` for an index, or empty.
    value_name : str
        ``KPI money`` or ``KPI``.
    roas : str
        ``ROAS``, or ``KPI per money`` for an index, whose worth is unknown.
    mroas : str
        ``mROAS``, or ``marginal KPI per money`` for an index.
    """

    spend: str
    value: str
    value_name: str
    roas: str
    mroas: str


def fit_units(currency: str, target_kind: str) -> Units:
    """Return the units of a fit; ``target_kind`` is ``money``, ``count`` or ``index``."""
    if target_kind == "index":
        return Units(currency, KPI_UNITS, "KPI", "KPI per money", "marginal KPI per money")
    return Units(currency, currency, "KPI money", "ROAS", "mROAS")


def verdict(summary: Mapping[str, Any]) -> str:
    """Return one line on convergence, loud where the gate failed."""
    reasons = [str(r) for r in summary.get("reasons") or ()]
    if summary["converged"]:
        return f"Converged: {gate_numbers(summary)}."
    return not_converged(reasons)


def not_converged(reasons: Sequence[str]) -> str:
    """Return the loud line of a posterior that failed its gate."""
    why = "; ".join(reasons) if reasons else "no reason was recorded"
    return f"NOT CONVERGED: this posterior failed its gate ({why}). Do not decide anything on these numbers."


def gate_numbers(summary: Mapping[str, Any]) -> str:
    """Return R-hat, effective sample size and divergences in words."""
    divergences = summary.get("divergences")
    rhat = summary.get("max_rhat")
    worst = f"{rhat:.3f}" if rhat is not None and fmt.exists(rhat) else fmt.MISSING
    ess = summary.get("min_ess")
    smallest = f"{ess:,.0f}" if ess is not None and fmt.exists(ess) else fmt.MISSING
    return f"largest R-hat {worst}, smallest effective sample size {smallest}, {fmt.number(divergences)} divergences"


def fit_quality(fit: Mapping[str, float | None], kpi_unit: str) -> list[str]:
    """Return fit quality, one plain sentence per number that exists."""
    lines = []
    if fmt.exists(fit.get("r2")):
        lines.append(f"The posterior mean follows {fmt.percent(fit['r2'])} of the KPI's variation (R2).")
    else:
        lines.append("R2 does not exist for these data.")
    if fmt.exists(fit.get("mape")):
        lines.append(f"It misses a single observation by {fmt.percent(fit['mape'])} on average (MAPE).")
    else:
        lines.append("MAPE does not exist, as it divides by the KPI and the KPI is 0 somewhere.")
    if fmt.exists(fit.get("wape")):
        lines.append(f"All misses together are {fmt.percent(fit['wape'])} of the KPI's sum (WAPE).")
    if fmt.exists(fit.get("crps")):
        lines.append(f"The predictive distribution misses by {fmt.short(fit['crps'], kpi_unit)} on average (CRPS).")
    if fmt.exists(fit.get("coverage90")):
        lines.append(
            f"{fmt.percent(fit['coverage90'])} of the observations lie inside their 90 % prediction interval; "
            "a well calibrated model has about 90 %."
        )
    if fmt.exists(fit.get("negative_baseline")):
        lines.append(
            f"The baseline is negative over the window with probability {fmt.probability(fit['negative_baseline'])}, and in "
            f"{fmt.percent(fit['negative_baseline_periods'])} of the single periods; media that bring more than the KPI would "
            "show here."
        )
    lines.append("All of this is measured on the rows that the model was fitted on; it says nothing about the future.")
    return lines


def fit_definitions(units: Units, decomposition: str) -> list[tuple[str, str]]:
    """Return the terms of a fit's report, each with its definition; ``decomposition`` as in ``FitTables``."""
    roas, mroas, value = units.roas, units.mroas, units.value_name
    periods = [
        (
            "contributions over time",
            "effects multiply in this model, so that the contributions above do not add up; figure and CSV by period show the "
            "log-mean Divisia decomposition (Ang, 2004), whose parts and baseline add up to the expected KPI.",
        )
    ]
    return [
        (
            "contribution",
            f"{value} with actual spend minus {value} with zero spend of that channel, inside the window; the effect of media "
            "before the window and the effect after its last row are not in it. Shares are of the KPI in the window.",
        ),
        (roas, f"contribution divided by spend, both over the window: {value} per unit of money."),
        (mroas, "the same for the next 1 % of spend in every cell: what a little more money would have brought."),
        ("intervals", "equal-tailed 90 % posterior intervals; the number before the bracket is the posterior mean."),
        ("organic and treatments", f"have a contribution but no spend, hence no {roas}."),
        *(periods if decomposition == "log-mean Divisia" else []),
    ]
