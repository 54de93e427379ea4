"""Reported quantities of a fit, each computed once from the stored draws.

``contribution`` = KPI money with actual minus with zero exposure of a medium in the window, carry-in from before the window
and effect after the last row excluded; ``roas`` = contribution / spend; ``mroas`` = the same for +1 % of every cell, over
1 % of the spend; ``*_long`` count the carryover tail after the last row as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mmx.data.panel import Floats
from mmx.mmm import design as baseline
from mmx.mmm.inputs import STEP
from mmx.mmm.posterior import Posterior
from mmx.mmm.predict import predictive_cells
from mmx.mmm.tables import STATS, FitTables

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


def _by_period(posterior: Posterior) -> tuple[Floats, Floats]:
    """Actual minus zero exposure, (media, window, sample), and the carry-in of all media, (window, sample)."""
    rows = np.flatnonzero(posterior.window)
    actual = posterior.levels(1.0, tail=False)[:, rows]
    carry_in = np.zeros(actual.shape[:2])
    if posterior.has_carry_in:
        zero = posterior.levels(0.0, tail=False)[:, rows]
        actual -= zero
        carry_in = zero.sum(axis=2)
    return np.ascontiguousarray(actual.T), np.ascontiguousarray(carry_in.T)


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
    """All tables of a fit; ``seed`` fixes the noise of the posterior predictive."""
    rows = posterior.window[: posterior.stop]
    treatments = _treatments(posterior)
    media, carry_in = _by_period(posterior)
    by_period = [*media, *treatments]
    names = [*posterior.media, *posterior.panel.names("treatment")]
    dates = pd.to_datetime(posterior.panel.dates[: posterior.stop][rows])
    fitted, fit = _predictive(posterior, dates, seed)
    return FitTables(
        channels=_channels(posterior, effects, treatments, names),
        contributions=pd.concat(
            [_stats_by_date(values, dates, "channel", n) for values, n in zip(by_period, names, strict=True)]
        ),
        baseline=_baseline(posterior, carry_in, dates),
        fitted=fitted,
        curves=_curves(posterior, rows),
        fit=fit,
        parameters=parameters,
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
    panel = posterior.panel
    spend = window_spend(posterior)
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
            inside = treatments[i - len(posterior.media)].sum(axis=0)
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
    """Money of each treatment against its minimum, (treatment, window, sample), summed over geos."""
    design = baseline.build(posterior.spec, posterior.panel)
    where = design.groups.get("treatments")
    rows = np.flatnonzero(posterior.window)
    if where is None:
        return np.zeros((0, len(rows), posterior.samples))
    weighted = np.einsum("tgk,tg->tk", design.z[rows][..., where], posterior.money[rows])
    value: Floats = weighted.T[:, :, None] * posterior.gamma[:, where].T[:, None]
    return value


def _baseline(posterior: Posterior, carry_in: Floats, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Baseline by component and period; treatments are media here, not baseline."""
    design = baseline.build(posterior.spec, posterior.panel)
    rows = np.flatnonzero(posterior.window)
    money = posterior.money[rows]
    weighted = np.einsum("tgp,tg->tp", design.z[rows], money)
    parts = {}
    for name, where in design.groups.items():
        if name != "treatments":
            parts[name] = weighted[:, where] @ posterior.gamma[:, where].T
    if design.signed.shape[2]:
        signed = np.einsum("tgk,tg->tk", design.signed[rows], money) @ posterior.params["control"].T
        parts["controls"] = parts.get("controls", 0.0) + signed
    centre = posterior.constants.kpi_center * money.sum(axis=1, keepdims=True)
    own = np.einsum("kt,tg,skg->kts", design.local[:, rows], money, posterior.local, optimize=True)
    parts["intercept"] = parts["intercept"] + centre + own[0]
    if len(own) > 1:
        parts["trend"] = parts["trend"] + own[1]
    parts = {"baseline": np.sum(list(parts.values()), axis=0), **parts}
    parts["carry_in"] = carry_in
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
    panel, constants = posterior.panel, posterior.constants
    kpi = panel.array("kpi")[:, posterior.window].T
    size = np.array(constants.geo_scale) * constants.kpi_scale
    total_mean = np.zeros(len(dates))
    total = np.zeros((len(dates), posterior.samples))
    rng = np.random.default_rng([seed, 11])
    mean_cells, inside, crps = np.zeros_like(kpi), np.zeros_like(kpi, dtype=bool), np.zeros_like(kpi)
    sd = posterior.params["noise"][:, 0].astype(np.float32)
    for g, expected in enumerate(predictive_cells(posterior)):
        draw = np.ascontiguousarray(expected.T)
        mean_cells[:, g] = draw.mean(axis=1) * size[g]
        draw += rng.standard_normal(draw.shape, dtype=np.float32) * sd
        draw *= size[g]
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
