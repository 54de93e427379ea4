"""What a roll-out was worth: objectives that are maximised, and limits that must hold.

Money is of the expected revenue of each draw, without the luck of counts and order values, which all parameter sets share
anyway; ratios are ratios of sums over days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmx.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mmx.rules.rollout import Totals

OBJECTIVES = ("profit", "revenue", "roas", "ctr", "stability", "utilisation")
MOST = ("turnover", "edits", "unallocated", "overspend")
CONSTRAINTS = (*MOST, "roas")


def objective_draws(totals: Totals, names: Sequence[str], *, margin: float | None, days: int) -> NDArray[np.float64]:
    """Objectives of each parameter set under each draw, (set, draw, objective).

    Parameters
    ----------
    totals : Totals
        (set, draw) each.
    names : sequence of str
        Of ``OBJECTIVES``: profit (margin x revenue - spend) and revenue in currency; ROAS; CTR; stability, minus the share of
        the money that is moved in a day; utilisation, spend over budget.
    margin : float, optional
        Needed for profit.
    days : int
        Days that were rolled.

    Raises
    ------
    ConfigError
        If profit is asked for without a margin.
    """
    if "profit" in names and margin is None:
        raise ConfigError(
            "the objective profit needs rules.margin, the share of revenue left before advertising; or take revenue"
        )
    revenue, spend = (np.asarray(x, float) for x in (totals.expected_revenue, totals.spend))
    known = {
        "profit": (margin or 0.0) * revenue - spend,
        "revenue": revenue,
        "roas": revenue / np.maximum(spend, 1e-9),
        "ctr": np.asarray(totals.clicks, float) / np.maximum(totals.impressions, 1e-9),
        "stability": -np.asarray(totals.turnover, float) / days,
        "utilisation": spend / np.maximum(totals.budget, 1e-9),
    }
    return np.stack([known[name] for name in names], axis=-1)


def violations(totals: Totals, limits: Mapping[str, float], *, days: int, ad_sets: int) -> NDArray[np.float64]:
    """How far limits are broken, (set, limit), in units of the limit; kept where at most 0.

    Limits are on means over draws: ``turnover`` (share of the money moved in a day), ``edits`` (per ad set and day),
    ``unallocated`` (share of the money), ``overspend`` (of the month's money, as a share of all budgets), and ``roas``, the
    only one that must be reached.

    Raises
    ------
    ConfigError
        For other names, and limits not above 0.
    """
    for name, limit in limits.items():
        if name not in CONSTRAINTS or not limit > 0.0:
            raise ConfigError(
                f"tune.constraints: {name}: {limit:g}; expected one of {', '.join(CONSTRAINTS)} with a limit above 0"
            )
    money = np.maximum(np.asarray(totals.budget + totals.unallocated, float).mean(axis=1), 1e-9)
    roas = np.asarray(totals.expected_revenue, float).sum(axis=1) / np.maximum(
        np.asarray(totals.spend, float).sum(axis=1), 1e-9
    )
    reached = {
        "turnover": np.asarray(totals.turnover, float).mean(axis=1) / days,
        "edits": np.asarray(totals.edits, float).mean(axis=1) / (days * ad_sets),
        "unallocated": np.asarray(totals.unallocated, float).mean(axis=1) / money,
        "overspend": np.asarray(totals.overspend, float).mean(axis=1) / money,
        "roas": roas,
    }
    columns = [1.0 - reached[n] / limit if n == "roas" else reached[n] / limit - 1.0 for n, limit in limits.items()]
    return np.stack(columns, axis=1) if columns else np.zeros((len(money), 0))
