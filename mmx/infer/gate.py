"""The convergence gate: a posterior that has not converged is not used.

Rank-normalised split R-hat, bulk and tail effective sample size (Vehtari et al. 2021) and E-BFMI (Betancourt 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmx.infer.diagnostics import Floats, rhat_and_ess, smallest_ebfmi
from mmx.infer.target import Draws
from mmx.spec import GateSettings


@dataclass(frozen=True)
class Gate:
    """Verdict of the gate with the worst figures and the reasons.

    Attributes
    ----------
    passed : bool
    reasons : tuple of str
        What failed, with the worst quantity; empty when passed.
    max_rhat, min_ess_bulk, min_ess_tail, min_ebfmi : float
    divergences, reached_max_depth : int
        Number of draws.
    """

    passed: bool
    reasons: tuple[str, ...]
    max_rhat: float
    min_ess_bulk: float
    min_ess_tail: float
    min_ebfmi: float
    divergences: int
    reached_max_depth: int

    @property
    def min_ess(self) -> float:
        """Smaller of the smallest bulk and tail effective sample sizes."""
        return min(self.min_ess_bulk, self.min_ess_tail)

    @property
    def only_divergences(self) -> bool:
        """Whether divergent draws are the one thing that failed: smaller steps may help."""
        return len(self.reasons) == 1 and self.reasons[0].endswith("allowed") and self.divergences > 0

    def as_mapping(self) -> dict[str, Any]:
        """Return plain numbers for JSON."""
        return {**asdict(self), "reasons": list(self.reasons)}


UNJUDGED = Gate(False, (), np.nan, np.nan, np.nan, np.nan, 0, 0)


def summarise(values: Mapping[str, Floats]) -> pd.DataFrame:
    """Mean, spread and diagnostics of named quantities.

    Parameters
    ----------
    values : mapping of str to array, (chain, draw)

    Returns
    -------
    DataFrame
        ``name, mean, sd, q05, q95, rhat, ess_bulk, ess_tail``. A quantity that never moves has R-hat 1 by convention
        only if it is constant by construction, hence such quantities are not for this table.
    """
    names = list(values)
    stacked = np.stack([np.asarray(values[n], dtype=float) for n in names])
    flat = stacked.reshape(len(names), -1)
    rhat, ess_bulk, ess_tail = rhat_and_ess(stacked)
    with np.errstate(invalid="ignore"):  # Values that are not finite: the gate says so.
        q05, q95 = np.quantile(flat, [0.05, 0.95], axis=1)
        moments = {"mean": flat.mean(axis=1), "sd": flat.std(axis=1, ddof=1), "q05": q05, "q95": q95}
    return pd.DataFrame({"name": names, **moments, "rhat": rhat, "ess_bulk": ess_bulk, "ess_tail": ess_tail})


def judge(table: pd.DataFrame, draws: Draws, settings: GateSettings) -> Gate:
    """Judge a fit.

    Parameters
    ----------
    table : DataFrame
        Of ``summarise``, over everything that must have converged.
    draws : Draws
        For divergences, depth and energy.
    settings : GateSettings

    Returns
    -------
    Gate
        A diagnostic that is not finite fails.
    """
    ebfmi = smallest_ebfmi(draws.stats["energy"]) if draws.ebfmi is None else draws.ebfmi
    divergences = int(draws.stats["diverging"].sum())
    reasons = []
    for column, label, limit, above in (
        ("rhat", "R-hat", settings.max_rhat, True),
        ("ess_bulk", "bulk ESS", settings.min_ess, False),
        ("ess_tail", "tail ESS", settings.min_ess, False),
    ):
        figures = table[column].to_numpy(dtype=float)
        bad = ~(figures <= limit) if above else ~(figures >= limit)
        if bad.any():
            badness = np.where(np.isnan(figures), np.inf, figures if above else -figures)
            worst = int(np.argmax(badness))
            order = "above" if above else "below"
            reasons.append(
                f"{label} {order} {limit:g} for {int(bad.sum())} of {len(table)} quantities, "
                f"worst {figures[worst]:.4g} ({table['name'].iloc[worst]})"
            )
    if not ebfmi >= settings.min_ebfmi:
        reasons.append(f"E-BFMI {ebfmi:.2f} is below {settings.min_ebfmi:g}")
    if divergences > settings.max_divergences:
        reasons.append(f"{divergences} divergent draws, {settings.max_divergences} allowed")
    return Gate(
        passed=not reasons,
        reasons=tuple(reasons),
        max_rhat=float(table["rhat"].max(skipna=False)),
        min_ess_bulk=float(table["ess_bulk"].min(skipna=False)),
        min_ess_tail=float(table["ess_tail"].min(skipna=False)),
        min_ebfmi=ebfmi,
        divergences=divergences,
        reached_max_depth=int(draws.stats["reached_max_depth"].sum()),
    )
