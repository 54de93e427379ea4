"""Values that a report receives, made up with the shape and size of real ones: no model is run for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mmx.decide.recommendation import Cell, ChannelPlan, Interval, Recommendation
from mmx.mmm.tables import FitTables

QUANTITIES = ("roas", "mroas", "roas_long", "mroas_long", "contribution", "contribution_long", "contribution_share")
SIX = ("tv", "facebook", "search", "out of home", "print", "radio")
HARD = ("=SUM(A1:A9)", "a|b", "[bold]tv[/bold]", "+meta", "$x_1$ *new*", "@radio <b>")
LOW, HIGH = 0.8, 1.9
FIT = {"r2": 0.9312, "mape": 0.0512, "wape": 0.0487, "crps": 21_345.678, "coverage90": 0.9103}


@dataclass(frozen=True)
class Example:
    """One case: what the fit and the recommendation say, and how money is called."""

    name: str
    tables: FitTables
    summary: dict[str, Any]
    rec: Recommendation
    currency: str
    target_kind: str
    notes: tuple[str, ...]


def _spread(mean: Any, width: Any) -> dict[str, Any]:
    return {"mean": mean, "median": mean - 0.03 * width, "q05": mean - width, "q95": mean + 1.2 * width}


def make_tables(
    names: tuple[str, ...], *, weeks: int = 156, kpi: float = 1.2e6, roas: np.ndarray, index: bool = False
) -> FitTables:
    """Tables of a fit with paid channels ``names``, one organic medium and one treatment."""
    rng = np.random.default_rng(7)
    media = len(names)
    dates = pd.date_range("2023-01-02", periods=weeks, freq="W-MON")
    season = np.sin(2 * np.pi * np.arange(weeks) / 52.18)
    weekly = kpi * 0.25 / media * rng.lognormal(0, 0.7, media)
    flights = (rng.random((media, weeks)) < 0.7) * rng.lognormal(0, 0.5, (media, weeks))
    spend = weekly[:, None] * flights
    effect = roas[:, None] * spend
    trend, drift = kpi * 0.0008 * np.arange(weeks), kpi * 0.04 * np.cos(np.arange(weeks) / 17)
    parts = {"intercept": np.full(weeks, 0.6 * kpi), "trend": trend, "season": 0.1 * kpi * season, "drift": drift}
    base = sum(parts.values())
    rows = {
        **dict(zip(names, effect, strict=True)),
        "newsletter": 0.02 * kpi * rng.random(weeks),
        "price": -0.03 * kpi * (season > 0.6),
    }
    media_sum = sum(rows.values())
    total = float((base + media_sum).sum())
    channels = []
    for i, (name, values) in enumerate(rows.items()):
        paid = i < media
        contribution = float(values.sum())
        row: dict[str, Any] = {"channel": name, "kind": "paid" if paid else "organic" if name == "newsletter" else "treatment"}
        row["spend"] = float(spend[i].sum()) if paid else np.nan
        for quantity in QUANTITIES:
            mean = {
                "contribution": contribution,
                "contribution_long": 1.03 * contribution,
                "contribution_share": contribution / total,
            }.get(quantity)
            if mean is None:
                mean = (
                    np.nan
                    if not paid
                    else float(roas[i]) * {"roas": 1, "mroas": 0.6, "roas_long": 1.03, "mroas_long": 0.62}[quantity]
                )
            row |= {f"{quantity}_{s}": v for s, v in _spread(mean, 0.35 * abs(mean)).items()}
        channels.append(row)
    frames = [pd.DataFrame({"date": dates, "channel": n, **_spread(v, 0.3 * np.abs(v))}) for n, v in rows.items()]
    parts_all = {"baseline": base, **parts, "carry_in": 0.05 * kpi * 0.5 ** np.arange(weeks)}
    baseline = [pd.DataFrame({"date": dates, "component": n, **_spread(v, 0.05 * np.abs(v) + 1)}) for n, v in parts_all.items()]
    mean = base + media_sum
    band = 0.06 * kpi
    fitted = pd.DataFrame(
        {"date": dates, "kpi": mean + rng.normal(0, band / 1.7, weeks), "mean": mean, "q05": mean - band, "q95": mean + band}
    )
    curves = []
    multipliers = np.round(np.linspace(0, 2, 21), 10)
    for i, (name, values) in enumerate(rows.items()):
        if name == "price":
            continue
        shape = multipliers / (multipliers + 0.8) * 1.8
        frame = pd.DataFrame({"channel": name, "multiplier": multipliers})
        frame["spend"] = multipliers * float(spend[i].sum()) if i < media else np.nan
        value = shape * float(values.sum())
        curves.append(frame.assign(**_spread(value, 0.4 * np.abs(value)), observed=multipliers <= 1.45))
    parameters = pd.DataFrame(
        {
            "name": [f"{p}[{n}]" for n in names for p in ("roas", "alpha", "half_saturation", "slope")] + ["sigma"],
            "mean": rng.lognormal(0, 1, 4 * media + 1),
            "sd": 0.3,
            "q05": 0.1,
            "q95": 2.2,
            "rhat": 1.0013,
            "ess_bulk": 2345.6,
            "ess_tail": 1987.1,
        }
    )
    fit: dict[str, float | None] = {**FIT, "crps": 0.017 * kpi, "mape": None if index else FIT["mape"]}
    return FitTables(
        channels=pd.DataFrame(channels),
        contributions=pd.concat(frames, ignore_index=True),
        baseline=pd.concat(baseline, ignore_index=True),
        fitted=fitted,
        curves=pd.concat(curves, ignore_index=True),
        fit=fit,
        parameters=parameters,
    )


def make_summary(tables: FitTables, *, converged: bool = True) -> dict[str, Any]:
    """Content of ``summary.json`` for the tables."""
    return {
        "format": 1,
        "converged": converged,
        "reasons": [] if converged else ["R-hat of roas[tv] is 1.043 (limit 1.01)", "3 divergences (limit 0)"],
        "gate": {"max_rhat": 1.01, "min_ess": 400, "min_ebfmi": 0.3, "max_divergences": 0},
        "sampler": {"name": "nutpie", "chains": 4, "tune": 500, "draws": 1000},
        "seconds": {"compile": 1.2, "sample": 3.4, "total": 7.9},
        "min_ess": 1234.5 if converged else 61.2,
        "max_rhat": 1.0034 if converged else 1.0431,
        "divergences": 0 if converged else 3,
        "channels": tables.channel_stats(),
        "fit": tables.fit,
        "data_sha256": "ab12" * 16,
        "config_sha256": "cd34" * 16,
        "seed": 11,
        "versions": {"mmx": "0.1.0", "nutpie": "0.16.2", "python": "3.13.1"},
        "mlflow_run_id": None,
    }


def make_recommendation(
    names: tuple[str, ...], *, money: str = "EUR", geos: int = 1, horizon: int = 13, scale: float = 5e4, converged: bool = True
) -> Recommendation:
    """Return a plan whose channel sums are the sums of its cells and whose total is that of the current plan."""
    rng = np.random.default_rng(3)
    starts = pd.date_range("2026-01-05", periods=horizon, freq="W-MON")
    current = scale * rng.lognormal(0, 0.8, (len(names), 1, 1)) * rng.lognormal(0, 0.3, (len(names), geos, horizon))
    current[-1] = 0.0
    now = current.sum(axis=(1, 2))
    order = np.argsort(now)
    small, large, free = order[1], order[-1], order[2:-1]
    multiplier = np.ones(len(names))
    multiplier[small], multiplier[large] = HIGH, LOW
    multiplier[free] = rng.uniform(0.9, 1.1, len(free))
    # the channels between the bounds take up what the others leave
    rest = now.sum() - multiplier[small] * now[small] - multiplier[large] * now[large]
    multiplier[free] *= rest / (multiplier[free] * now[free]).sum()
    assert ((multiplier >= LOW) & (multiplier <= HIGH)).all()
    cells, channels = [], {}
    for i, name in enumerate(names):
        mine = [
            Cell(
                channel=name,
                geo="national" if geos == 1 else f"geo {g}",
                start=f"{start:%Y-%m-%d}",
                end=f"{start + pd.Timedelta(days=6):%Y-%m-%d}",
                current=float(current[i, g, t]),
                recommended=float(multiplier[i] * current[i, g, t]),
            )
            for g in range(geos)
            for t, start in enumerate(starts)
        ]
        cells += mine
        before, after = sum(c.current for c in mine), sum(c.recommended for c in mine)
        extra = 1.1 * (after - before)
        roas = 1.3 - 0.1 * (i % 7)
        channels[name] = ChannelPlan(
            current_spend=before,
            recommended_spend=after,
            multiplier=float(multiplier[i]),
            low=LOW,
            high=HIGH,
            extra=Interval(extra, extra - 0.6 * abs(extra), extra + 0.7 * abs(extra)),
            mroas_current=Interval(roas, 0.5 * roas, 1.7 * roas),
            mroas_recommended=Interval(0.9 * roas, 0.4 * roas, 1.5 * roas),
            binding={small: "upper bound", large: "lower bound", order[0]: "no spend to scale"}.get(i, ""),
            outside_observed=bool(i == small),
        )
    total = sum(c.recommended for c in cells)
    return Recommendation(
        objective="mean",
        certificate=None,
        total=total,
        current_total=sum(c.current for c in cells),
        horizon=horizon,
        start=cells[0].start,
        end=f"{starts[-1]:%Y-%m-%d}",
        reference="last",
        money=money,
        converged=converged,
        gate_reasons=() if converged else ("R-hat of roas[tv] is 1.043 (limit 1.01)", "3 divergences (limit 0)"),
        gain=Interval(0.08 * total, -0.01 * total, 0.21 * total),
        probability_better=0.9375,
        channels=channels,
        cells=tuple(cells),
        unknowns=("Prices and competitors are taken to stay as they were in the reference window.",),
        notes=("missing_spend: zero set 3 missing values of column 'tv_S' to 0.",),
        fit_name="example",
    )


def _roas(count: int) -> np.ndarray:
    return np.array([0.4 + 0.37 * (i % 6) for i in range(count)])


NOTES = ("missing_spend: zero set 3 missing values of column 'tv_S' to 0.", "Column 'id' is not used.")


def _example(name: str, names: tuple[str, ...], **changes: Any) -> Example:
    index, converged = changes.get("index", False), changes.get("converged", True)
    currency = changes.get("currency", "EUR")
    kpi = changes.get("kpi", 1.2e6)
    roas = changes.get("roas", _roas(len(names)))
    tables = make_tables(names, kpi=kpi, roas=roas, index=index, weeks=changes.get("weeks", 156))
    money = "KPI units" if index else currency or "money"
    rec = make_recommendation(names, money=money, geos=changes.get("geos", 1), converged=converged, scale=kpi / 24)
    summary = make_summary(tables, converged=converged)
    return Example(
        changes.get("title", name), tables, summary, rec, currency, "index" if index else "money", NOTES if converged else ()
    )


def six() -> Example:
    """Return six channels, 156 weeks, EUR."""
    return _example("six", SIX)


def index() -> Example:
    """Return an index without money: five channels, KPI near 130."""
    return _example("index", ("x1", "x2", "x3", "x4", "x5"), index=True, currency="", kpi=130.0, title="a long name " * 12)


def forty() -> Example:
    """Return 40 channels with names that are long and differ at their ends, in 4 geos."""
    names = tuple(f"Performance Max | Retargeting | Central Europe | audience group number {i:02d}" for i in range(40))
    return _example("forty", names, geos=4, kpi=8.7e7)


def negative() -> Example:
    """Return channels with negative ROAS and a losing plan."""
    example = _example("negative", SIX, roas=np.array([1.2, -0.8, 0.0, 2.1, -0.05, 0.4]), currency="USD")
    rec = replace(example.rec, gain=Interval(-1234.5, -9876.5, 2345.6), probability_better=0.004)
    return replace(example, rec=rec)


def unconverged() -> Example:
    """Return a posterior that failed its gate, with numbers that could not be computed."""
    example = _example("unconverged", SIX, converged=False)
    example.summary["min_ess"] = None
    parameters = example.tables.parameters.assign(rhat=np.nan, ess_bulk=np.nan)
    return replace(example, tables=replace(example.tables, parameters=parameters))


def hard_names() -> Example:
    """Return names that mean something to spreadsheets, Markdown, terminals and figures; no currency."""
    return _example("hard_names", HARD, currency="", weeks=30)


CASES = (six, index, forty, negative, unconverged, hard_names)
