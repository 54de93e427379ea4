"""Values that a report receives, made up with the shape and size of real ones: no model is run for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mmx.decide.certificate import Certificate
from mmx.decide.recommendation import Flip, Interval, Recommendation
from mmx.mmm.tables import FitTables

from .plans import OPEN, REASONS, UNKNOWN, Shape, make_recommendation

QUANTITIES = ("roas", "mroas", "roas_long", "mroas_long", "contribution", "contribution_long", "contribution_share")
SIX = ("tv", "facebook", "search", "out of home", "print", "radio")
HARD = ("=SUM(A1:A9)", "a|b", "[bold]tv[/bold]", "+meta", "$x_1$ *new*", "@radio <b>")
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
        "reasons": [] if converged else list(REASONS),
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


def _roas(count: int) -> np.ndarray:
    return np.array([0.4 + 0.37 * (i % 6) for i in range(count)])


NOTES = ("missing_spend: zero set 3 missing values of column 'tv_S' to 0.", "Column 'id' is not used.")


def _example(name: str, names: tuple[str, ...], shape: Shape | None = None, **changes: Any) -> Example:
    """Fit and recommendation of the same channels; ``shape`` says what the recommendation holds."""
    index, converged = changes.get("index", False), changes.get("converged", True)
    currency = changes.get("currency", "EUR")
    kpi = changes.get("kpi", 1.2e6)
    roas = changes.get("roas", _roas(len(names)))
    tables = make_tables(names, kpi=kpi, roas=roas, index=index, weeks=changes.get("weeks", 156))
    money = "KPI units" if index else currency or "money"
    rec = make_recommendation(names, replace(shape or Shape(), money=money, converged=converged, scale=kpi / 24))
    summary = make_summary(tables, converged=converged)
    return Example(
        changes.get("title", name), tables, summary, rec, currency, "index" if index else "money", NOTES if converged else ()
    )


def six() -> Example:
    """Return six channels, 156 weeks, EUR, certified, with everything that a recommendation may hold."""
    shape = Shape(flighting=True, frontier=5, scenarios=("base", "aggressive", "conservative"), tests=4, since=True)
    return _example("six", SIX, shape)


def three() -> Example:
    """Return three channels whose total was free, certified without any gap, with hardly anything besides the plan."""
    certificate = Certificate(True, 812_345.6, 812_345.6, 0.0, 0.0, "convex program, bound by the slopes of all draws")
    goal = "total with the most profit at margin 0.4"
    example = _example(
        "three", SIX[:3], Shape(share=0.83, goal=goal, shadow=None, certificate=certificate, horizon=4), weeks=30
    )
    rec = replace(example.rec, constraints=(), flips=(), unknowns=(), notes=(), curves=())
    return replace(example, rec=rec)


def index() -> Example:
    """Return an index without money: five channels, KPI near 130, a probability that cannot be certified."""
    names = ("x1", "x2", "x3", "x4", "x5")
    shape = Shape(objective="probability of more than the reference", certificate=UNKNOWN, frontier=3, shadow=0.0123)
    return _example("index", names, shape, index=True, currency="", kpi=130.0, title="a long name " * 12)


def forty() -> Example:
    """Return 40 channels with names that are long and differ at their ends, in 4 geos, with many scenarios."""
    names = tuple(f"Performance Max | Retargeting | Central Europe | audience group number {i:02d}" for i in range(40))
    scenarios = tuple(
        f"{who} with the total of {year}" for who in ("base", "aggressive", "careful") for year in (2024, 2025, 2026)
    )
    modes = "three centres: 52 % of draws near 1.2 times the plan of the first, 31 % near 0.8 times, 17 % in between"
    shape = Shape(geos=4, horizon=6, flighting=True, scenarios=scenarios, tests=12, frontier=5, modes=modes)
    return _example("forty", names, shape, kpi=8.7e7)


def negative() -> Example:
    """Return channels with negative ROAS and a losing plan of another total, with what its steps leave."""
    roas = np.array([1.2, -0.8, 0.0, 2.1, -0.05, 0.4])
    shape = Shape(share=1.12, certificate=OPEN, objective="mean of the worst 0.1 of draws", scenarios=("losing",), tests=1)
    example = _example("negative", SIX, shape, roas=roas, currency="USD")
    flips = (Flip("tv", "belief", None, (0.1, 10.0)), Flip("tv", "budget", 1.31, (0.5, 2.0)))
    rec = replace(example.rec, gain=Interval(-1234.5, -9876.5, 2345.6), probability_better=0.004, remainder=1250.0, flips=flips)
    return replace(example, rec=rec)


def unconverged() -> Example:
    """Return a posterior that failed its gate, with numbers that could not be computed."""
    example = _example("unconverged", SIX, Shape(geos=3, scenarios=("base", "cut")), converged=False, weeks=52)
    example.summary["min_ess"] = None
    parameters = example.tables.parameters.assign(rhat=np.nan, ess_bulk=np.nan)
    return replace(example, tables=replace(example.tables, parameters=parameters))


def hard_names() -> Example:
    """Return names that mean something to spreadsheets, Markdown, terminals, web pages and figures; no currency."""
    shape = Shape(certificate=OPEN, scenarios=HARD[:4], tests=3, frontier=2, goal="largest total with ROAS >= 3")
    example = _example("hard_names", HARD, shape, currency="", weeks=30)
    hard = ("=1+1 & <script>alert('x')</script>", "binds: a|b at most 60 % of <b>the plan</b>")
    rec = replace(example.rec, constraints=hard, notes=hard[:1], unknowns=hard[:1], fit_name="@fit <i>|`x`")
    return replace(example, rec=rec)


CASES = (six, three, index, forty, negative, unconverged, hard_names)
