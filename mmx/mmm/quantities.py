"""Reported quantities of a fit, each computed once from the stored draws.

``contribution`` = KPI money with actual minus with zero exposure of a medium in the window, carry-in from before the window
and effect after the last row excluded; ``roas`` = contribution / spend; ``mroas`` = the same for +1 % of every cell, over
1 % of the spend; ``*_long`` count the carryover tail after the last row as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmx.data.panel import Floats
from mmx.mmm import design as baseline
from mmx.mmm.posterior import Posterior
from mmx.mmm.predict import predictive_cells
from mmx.mmm.tables import STATS, FitTables

STEP = 0.01  # Marginal quantities speak of +1 % of every cell.
MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)


@dataclass(frozen=True)
class Effects:
    """Money of all media, (sample, ...).

    Attributes
    ----------
    by_period : array, (sample, stop + tail, media)
        Actual minus zero exposure in the window.
    step_by_period : array, (sample, stop + tail, media)
        +1 % minus actual.
    zero : array, (sample, stop + tail, media)
        With zero exposure in the window: what media before it still bring.
    """

    by_period: Floats
    step_by_period: Floats
    zero: Floats


def effects(posterior: Posterior) -> Effects:
    """Evaluate the three levels behind contribution, ROAS and marginal ROAS."""
    zero, actual, more = (posterior.levels(k) for k in (0.0, 1.0, 1.0 + STEP))
    return Effects(actual - zero, more - actual, zero)


def roas_draws(posterior: Posterior, effects: Effects) -> dict[str, Floats]:
    """ROAS and marginal ROAS per paid channel with spend, (chain, draw), for the gate."""
    inside = np.append(posterior.window[: posterior.stop], np.zeros(posterior.tail, dtype=bool))
    spend = window_spend(posterior)
    out = {}
    for c, name in enumerate(posterior.panel.names("channel")):
        if spend[c] > 0 and posterior.panel.target_kind != "index":
            out[f"roas[{name}]"] = posterior.split_chains(effects.by_period[:, inside, c].sum(axis=1) / spend[c])
            step = effects.step_by_period[:, inside, c].sum(axis=1)
            out[f"mroas[{name}]"] = posterior.split_chains(step / (STEP * spend[c]))
    return out


def window_spend(posterior: Posterior) -> Floats:
    """Spend per channel in the training rows, (channel,)."""
    spend: Floats = posterior.panel.array("spend")[:, posterior.window].sum(axis=(0, 1))
    return spend


def tables(posterior: Posterior, effects: Effects, parameters: pd.DataFrame, *, seed: int) -> FitTables:
    """All tables of a fit; ``seed`` fixes the noise of the posterior predictive."""
    rows = posterior.window[: posterior.stop]
    treatments = _treatments(posterior)
    by_period = np.concatenate([effects.by_period[:, : posterior.stop][:, rows], treatments], axis=2)
    names = [*posterior.media, *posterior.panel.names("treatment")]
    dates = pd.to_datetime(posterior.panel.dates[: posterior.stop][rows])
    fitted, fit = _predictive(posterior, dates, seed)
    return FitTables(
        channels=_channels(posterior, effects, treatments, names),
        contributions=pd.concat([_stats_by_date(by_period[..., i], dates, "channel", n) for i, n in enumerate(names)]),
        baseline=_baseline(posterior, effects, dates),
        fitted=fitted,
        curves=_curves(posterior, rows),
        fit=fit,
        parameters=parameters,
    )


def _stats(values: Floats) -> dict[str, Floats]:
    """Mean, median and the 90 % interval over samples (axis 0)."""
    q05, median, q95 = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
    return {"mean": values.mean(axis=0), "median": median, "q05": q05, "q95": q95}


def _stats_by_date(values: Floats, dates: pd.DatetimeIndex, key: str, name: str) -> pd.DataFrame:
    return pd.DataFrame({"date": dates, key: name, **_stats(values)})


def _channels(posterior: Posterior, effects: Effects, treatments: Floats, names: list[str]) -> pd.DataFrame:
    panel = posterior.panel
    rows = np.append(posterior.window[: posterior.stop], np.zeros(posterior.tail, dtype=bool))
    after = np.arange(len(rows)) >= posterior.stop
    spend = window_spend(posterior)
    kpi = panel.array("kpi")[:, posterior.window] * panel.array("unit_value")[:, posterior.window]
    paid = 0 if panel.target_kind == "index" else len(spend)
    frame = []
    for i, name in enumerate(names):
        row: dict[str, object] = {"channel": name, "spend": np.nan}
        if i < len(posterior.media):
            row["kind"] = "paid" if i < len(spend) else "organic"
            inside, step = (e[:, rows, i].sum(axis=1) for e in (effects.by_period, effects.step_by_period))
            tail, step_tail = (e[:, after, i].sum(axis=1) for e in (effects.by_period, effects.step_by_period))
        else:
            row["kind"] = "treatment"
            inside = treatments[..., i - len(posterior.media)].sum(axis=1)
            tail = np.zeros_like(inside)
        quantities = {"contribution": inside, "contribution_long": inside + tail, "contribution_share": inside / kpi.sum()}
        if i < len(spend):
            row["spend"] = spend[i]
        if i < paid and spend[i] > 0:
            quantities |= {"roas": inside / spend[i], "roas_long": (inside + tail) / spend[i]}
            quantities |= {"mroas": step / (STEP * spend[i]), "mroas_long": (step + step_tail) / (STEP * spend[i])}
        for quantity in ("roas", "mroas", "roas_long", "mroas_long", "contribution", "contribution_long", "contribution_share"):
            stats = _stats(quantities[quantity]) if quantity in quantities else dict.fromkeys(STATS, np.nan)
            row |= {f"{quantity}_{stat}": float(stats[stat]) for stat in STATS}
        frame.append(row)
    table = pd.DataFrame(frame)
    return table[["channel", "kind", *[c for c in table.columns if c not in ("channel", "kind")]]]


def _treatments(posterior: Posterior) -> Floats:
    """Money of each treatment against its minimum, (sample, window, treatment), summed over geos."""
    design = baseline.build(posterior.spec, posterior.panel)
    where = design.groups.get("treatments")
    rows = np.flatnonzero(posterior.window)
    if where is None:
        return np.zeros((posterior.samples, len(rows), 0))
    money = posterior.money[rows]
    value: Floats = np.einsum("tgk,sk,tg->stk", design.z[rows][..., where], posterior.gamma[:, where], money)
    return value


def _baseline(posterior: Posterior, effects: Effects, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Baseline by component and period; treatments are media here, not baseline."""
    design = baseline.build(posterior.spec, posterior.panel)
    rows = np.flatnonzero(posterior.window)
    money = posterior.money[rows]
    weighted = np.einsum("tgp,tg->tp", design.z[rows], money)
    parts = {}
    for name, where in design.groups.items():
        if name != "treatments":
            parts[name] = posterior.gamma[:, where] @ weighted[:, where].T
    centre = posterior.constants.kpi_mean * money.sum(axis=1)
    parts["intercept"] = parts["intercept"] + centre + posterior.geo_intercept @ money.T
    parts = {"baseline": np.sum(list(parts.values()), axis=0), **parts}
    parts["carry_in"] = effects.zero[:, rows].sum(axis=2)
    return pd.concat([_stats_by_date(v, dates, "component", k) for k, v in parts.items()])


def _curves(posterior: Posterior, rows: np.ndarray) -> pd.DataFrame:
    """Contribution in the window at multiples of every cell, with the observed range marked."""
    base = posterior.levels(0.0)[:, : posterior.stop][:, rows].sum(axis=1)
    exposure = posterior.exposure[rows]
    spend = np.append(window_spend(posterior), posterior.panel.array("organic")[:, posterior.window].sum(axis=(0, 1)))
    frames = []
    for multiplier in MULTIPLIERS:
        level = posterior.levels(multiplier)[:, : posterior.stop][:, rows].sum(axis=1) - base
        stats = _stats(level)
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
    panel, constants = posterior.panel, posterior.constants
    kpi = panel.array("kpi")[:, posterior.window].T
    size = np.array(constants.geo_scale) * constants.kpi_scale
    total_mean = np.zeros((posterior.samples, len(dates)))
    total = np.zeros((posterior.samples, len(dates)))
    rng = np.random.default_rng([seed, 11])
    mean_cells, inside, crps = np.zeros_like(kpi), np.zeros_like(kpi, dtype=bool), np.zeros_like(kpi)
    for g, mean in enumerate(predictive_cells(posterior)):
        noise = rng.standard_normal(mean.shape, dtype=np.float32) * posterior.params["noise"].astype(np.float32)
        mean = mean * size[g]
        draw = mean + noise * size[g]
        total_mean += mean
        total += draw
        q05, q95 = np.quantile(draw, [0.05, 0.95], axis=0)
        mean_cells[:, g] = mean.mean(axis=0)
        inside[:, g] = (kpi[:, g] >= q05) & (kpi[:, g] <= q95)
        crps[:, g] = _crps(draw, kpi[:, g])
    stats = _stats(total)
    fitted = pd.DataFrame(
        {"date": dates, "kpi": kpi.sum(axis=1), "mean": total_mean.mean(axis=0), "q05": stats["q05"], "q95": stats["q95"]}
    )
    error = kpi - mean_cells
    fit: dict[str, float | None] = {
        "r2": float(1 - (error**2).sum() / ((kpi - kpi.mean()) ** 2).sum()),
        "mape": float(np.abs(error / kpi).mean()) if (kpi != 0).all() else None,
        "wape": float(np.abs(error).sum() / np.abs(kpi).sum()),
        "crps": float(crps.mean()),
        "coverage90": float(inside.mean()),
    }
    return fitted, fit


def _crps(draws: Floats, actual: Floats) -> Floats:
    """Continuous ranked probability score of a sample, (row,). Source: Gneiting and Raftery (2007), eq. 21."""
    n = len(draws)
    ordered = np.sort(draws, axis=0)
    rank = (2 * np.arange(1, n + 1) - n - 1)[:, None]
    score: Floats = np.abs(draws - actual).mean(axis=0) - (rank * ordered).sum(axis=0) / n**2
    return score
