"""Reported quantities of a fit, each computed once from the stored draws.

``contribution`` = KPI money with actual minus with zero exposure of a medium in the window, carry-in from before the window
and effect after the last row excluded; ``roas`` = contribution / spend; ``mroas`` = the same for +1 % of every cell, over
1 % of the spend; ``*_long`` count the carryover tail after the last row as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mmx.data.panel import Floats
from mmx.mmm import predict
from mmx.mmm.carryover import carryover
from mmx.mmm.decomposition import Decomposition, decompose
from mmx.mmm.forecast import forecast
from mmx.mmm.inputs import STEP
from mmx.mmm.posterior import Posterior
from mmx.mmm.tables import STATS, FitTables

QUANTITIES = (
    "roas",
    "mroas",
    "roas_long",
    "mroas_long",
    "contribution",
    "contribution_long",
    "contribution_share",
    "half_life",
    "carryover_share",
    "cpa",
)
MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)


@dataclass(frozen=True)
class Effects:
    """Money of all media: sums per draw, from which periods are computed when asked.

    Attributes
    ----------
    posterior : Posterior
    inside, tail : array, (sample, media)
        Actual minus zero exposure in the window: over the training rows, and over the carryover tail.
    step, step_tail : array, (sample, media)
        +1 % minus actual.
    """

    posterior: Posterior
    inside: Floats
    tail: Floats
    step: Floats
    step_tail: Floats

    @cached_property
    def zero(self) -> Floats:
        """With zero exposure in the window, what media before it still bring, (sample, stop + tail, media)."""
        return self.posterior.levels(0.0)

    @cached_property
    def by_period(self) -> Floats:
        """Actual minus zero exposure in the window, (sample, stop + tail, media)."""
        return self.posterior.levels(1.0) - self.zero


def effects(posterior: Posterior) -> Effects:
    """Evaluate the three levels behind contribution, ROAS and marginal ROAS."""
    zero, actual, more = np.moveaxis(posterior.totals((0.0, 1.0, 1.0 + STEP)), 1, 0)
    contribution, step = actual - zero, more - actual
    return Effects(posterior, contribution[:, 0], contribution[:, 1], step[:, 0], step[:, 1])


def roas_draws(posterior: Posterior, effects: Effects) -> dict[str, Floats]:
    """ROAS and marginal ROAS per paid channel with spend, (chain, draw), for the gate."""
    spend = window_spend(posterior)
    out = {}
    for c, name in enumerate(posterior.panel.names("channel")):
        if spend[c] > 0 and posterior.panel.target_kind != "index":
            out[f"roas[{name}]"] = posterior.split_chains(effects.inside[:, c] / spend[c])
            out[f"mroas[{name}]"] = posterior.split_chains(effects.step[:, c] / (STEP * spend[c]))
    return out


def window_spend(posterior: Posterior) -> Floats:
    """Spend per channel in the training rows, (channel,)."""
    spend: Floats = posterior.panel.array("spend")[:, posterior.window].sum(axis=(0, 1))
    return spend


def tables(posterior: Posterior, effects: Effects, parameters: pd.DataFrame, *, seed: int) -> FitTables:
    """All tables of a fit; ``seed`` fixes the noise of posterior predictive and forecast."""
    rows = posterior.window[: posterior.stop]
    found = decompose(posterior)
    by_period = [*found.media, *found.treatments]
    names = [*posterior.media, *posterior.panel.names("treatment")]
    dates = pd.to_datetime(posterior.panel.dates[: posterior.stop][rows])
    fitted, fit = _predictive(posterior, dates, seed)
    whole = np.sum(list(found.baseline.values()), axis=0)
    fit["negative_baseline"] = float((whole.sum(axis=0) < 0).mean())
    fit["negative_baseline_periods"] = float((whole < 0).mean())
    return FitTables(
        channels=_channels(posterior, effects, treatment_totals(posterior, found), names),
        contributions=pd.concat(
            [_stats_by_date(values, dates, "channel", n) for values, n in zip(by_period, names, strict=True)]
        ),
        baseline=_baseline(found, dates),
        fitted=fitted,
        curves=_curves(posterior, rows),
        fit=fit,
        decomposition="log-mean Divisia" if posterior.structure.multiplicative else "counterfactual",
        parameters=parameters,
        forecast=forecast(posterior, seed=seed) if posterior.stop < posterior.panel.data.sizes["time"] else None,
    )


def _stats(values: Floats) -> dict[str, Floats]:
    """Mean, median and the 90 % interval over samples, the last axis."""
    q05, median, q95 = _quantiles(np.sort(values, axis=-1), (0.05, 0.5, 0.95))
    return {"mean": values.mean(axis=-1), "median": median, "q05": q05, "q95": q95}


def _quantiles(ordered: Floats, shares: tuple[float, ...]) -> list[Floats]:
    """Quantiles along the last axis of sorted samples, linear between them as ``numpy.quantile``."""
    last = ordered.shape[-1] - 1
    places = [(min(int(share * last), max(last - 1, 0)), share * last) for share in shares]
    return [ordered[..., i] + (at - i) * (ordered[..., min(i + 1, last)] - ordered[..., i]) for i, at in places]


def _stats_by_date(values: Floats, dates: pd.DatetimeIndex, key: str, name: str) -> pd.DataFrame:
    return pd.DataFrame({"date": dates, key: name, **_stats(values)})


def _channels(posterior: Posterior, effects: Effects, treatments: Floats, names: list[str]) -> pd.DataFrame:
    """One row per medium and treatment; ``treatments`` are their contributions, (treatment, sample)."""
    panel = posterior.panel
    spend = window_spend(posterior)
    half_life, carried = carryover(posterior)
    units = _units(posterior, effects)
    kpi = panel.array("kpi")[:, posterior.window] * panel.array("unit_value")[:, posterior.window]
    paid = 0 if panel.target_kind == "index" else len(spend)
    frame = []
    for i, name in enumerate(names):
        row: dict[str, object] = {"channel": name, "spend": np.nan}
        if i < len(posterior.media):
            row["kind"] = "paid" if i < len(spend) else "organic"
            inside, tail, step, step_tail = (e[:, i] for e in (effects.inside, effects.tail, effects.step, effects.step_tail))
        else:
            row["kind"] = "treatment"
            inside = treatments[i - len(posterior.media)]
            tail = np.zeros_like(inside)
        quantities = {"contribution": inside, "contribution_long": inside + tail, "contribution_share": inside / kpi.sum()}
        if i < len(posterior.media):
            quantities |= {"half_life": half_life[:, i], "carryover_share": carried[:, i]}
        if i < len(spend):
            row["spend"] = spend[i]
        if i < paid and spend[i] > 0:
            quantities |= {"roas": inside / spend[i], "roas_long": (inside + tail) / spend[i]}
            quantities |= {"mroas": step / (STEP * spend[i]), "mroas_long": (step + step_tail) / (STEP * spend[i])}
            if units is not None:
                quantities["cpa"] = np.where(units[:, i] > 0, spend[i] / np.where(units[:, i] > 0, units[:, i], 1.0), np.inf)
        for quantity in QUANTITIES if units is not None else QUANTITIES[:-1]:
            stats = _stats(quantities[quantity]) if quantity in quantities else dict.fromkeys(STATS, np.nan)
            row |= {f"{quantity}_{stat}": float(stats[stat]) for stat in STATS}
        frame.append(row)
    table = pd.DataFrame(frame)
    return table[["channel", "kind", *[c for c in table.columns if c not in ("channel", "kind")]]]


def _units(posterior: Posterior, effects: Effects) -> Floats | None:
    """Contribution of each medium in KPI units, (sample, media), where they are not money; None where they are."""
    panel = posterior.panel
    if panel.target_kind != "count":
        return None
    worth = panel.array("unit_value")[:, posterior.window]
    if np.ptp(worth) == 0:
        return effects.inside / worth.flat[0]
    alike = replace(panel, data=panel.data.assign(unit_value=(("geo", "time"), np.ones_like(panel.array("unit_value")))))
    zero, actual = np.moveaxis(replace(posterior, panel=alike).totals((0.0, 1.0)), 1, 0)
    found: Floats = (actual - zero)[:, 0]
    return found


def treatment_totals(posterior: Posterior, found: Decomposition) -> Floats:
    """Counterfactual contribution of each treatment in the window, (treatment, sample)."""
    if not posterior.structure.multiplicative or not len(found.treatments):
        totals: Floats = found.treatments.sum(axis=1)
        return totals
    design, rows = posterior.design, np.flatnonzero(posterior.window)
    at, money = design.groups["treatments"], posterior.money[rows]
    totals = np.empty((at.stop - at.start, posterior.samples))
    for k, column in enumerate(range(at.start, at.stop)):
        effect = design.z[rows, :, column, None] * posterior.gamma[:, column]
        totals[k] = np.einsum("tg,tgs->s", money, -np.expm1(-effect))
    return totals


def _baseline(found: Decomposition, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Baseline by component and period."""
    parts = {"baseline": np.sum(list(found.baseline.values()), axis=0), **found.baseline, "carry_in": found.carry_in}
    return pd.concat([_stats_by_date(v, dates, "component", k) for k, v in parts.items()])


def _curves(posterior: Posterior, rows: np.ndarray) -> pd.DataFrame:
    """Contribution in the window at multiples of every cell, with the observed range marked."""
    value = posterior.totals(MULTIPLIERS)[:, :, 0]
    exposure = posterior.exposure[rows][..., : posterior.structure.media]
    spend = np.append(window_spend(posterior), posterior.panel.array("organic")[:, posterior.window].sum(axis=(0, 1)))
    frames = []
    for k, multiplier in enumerate(MULTIPLIERS):
        stats = _stats(np.ascontiguousarray((value[:, k] - value[:, 0]).T))
        frames.append(
            pd.DataFrame(
                {
                    "channel": list(posterior.media),
                    "multiplier": multiplier,
                    "spend": spend * multiplier,
                    **stats,
                    "observed": _observed(exposure, multiplier),
                }
            )
        )
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values("channel", key=lambda c: c.map({n: i for i, n in enumerate(posterior.media)}), kind="stable")


def _observed(exposure: Floats, multiplier: float) -> list[bool]:
    """Whether the multiplied median active cell stays within the largest observed cell, per medium."""
    inside = []
    for m in range(exposure.shape[2]):
        active = exposure[..., m][exposure[..., m] > 0]
        inside.append(bool(active.size) and bool(multiplier * np.median(active) <= active.max()))
    return inside


def _predictive(posterior: Posterior, dates: pd.DatetimeIndex, seed: int) -> tuple[pd.DataFrame, dict[str, float | None]]:
    """Posterior predictive of the window: totals by period, and accuracy over all cells."""
    kpi = posterior.panel.array("kpi")[:, posterior.window].T
    total_mean = np.zeros(len(dates))
    total = np.zeros((len(dates), posterior.samples))
    rng = np.random.default_rng([seed, 11])
    mean_cells, inside, crps = np.zeros_like(kpi), np.zeros_like(kpi, dtype=bool), np.zeros_like(kpi)
    for g, cells in enumerate(predict.predictive_cells(posterior)):
        level = np.ascontiguousarray(cells.T)
        mean_cells[:, g] = predict.expected(posterior, level, g).mean(axis=1)
        draw = predict.draws(posterior, level, g, rng)
        total_mean += mean_cells[:, g]
        total += draw
        draw.sort(axis=1)
        q05, q95 = _quantiles(draw, (0.05, 0.95))
        inside[:, g] = (kpi[:, g] >= q05) & (kpi[:, g] <= q95)
        crps[:, g] = _crps(draw, kpi[:, g])
    stats = _stats(total)
    fitted = pd.DataFrame({"date": dates, "kpi": kpi.sum(axis=1), "mean": total_mean, "q05": stats["q05"], "q95": stats["q95"]})
    error = kpi - mean_cells
    fit: dict[str, float | None] = {
        "r2": float(1 - (error**2).sum() / ((kpi - kpi.mean()) ** 2).sum()),
        "mape": float(np.abs(error / kpi).mean()) if (kpi != 0).all() else None,
        "wape": float(np.abs(error).sum() / np.abs(kpi).sum()),
        "crps": float(crps.mean()),
        "coverage90": float(inside.mean()),
    }
    return fitted, fit


def _crps(ordered: Floats, actual: Floats) -> Floats:
    """Continuous ranked probability score of sorted samples (row, sample). Source: Gneiting and Raftery (2007), eq. 21."""
    n = ordered.shape[1]
    rank = 2.0 * np.arange(1, n + 1) - n - 1
    score: Floats = np.abs(ordered - actual[:, None]).mean(axis=1) - ordered @ rank / n**2
    return score
