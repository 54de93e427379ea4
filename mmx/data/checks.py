"""Checks before any model is fitted: what the data can say and what the priors already say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmx.config import Config
from mmx.data.cells import Floats, listed, plural
from mmx.data.collinear import correlations, inflation, worst_pairs
from mmx.data.panel import Panel
from mmx.data.prior_share import implied_shares

DRAWS = 20_000
PAIRS = 5
_MODEL_COLUMNS = (
    ("exposure", "channel"),
    ("organic", "organic"),
    ("treatment", "treatment"),
    ("control", "control"),
    ("event", "event"),
)
Z95 = 1.6448536269514722  # standard normal quantile of 0.95


@dataclass(frozen=True)
class CheckResult:
    """Evidence of one check.

    Attributes
    ----------
    name : str
    passed : bool or None
        None where the check only informs.
    table : DataFrame or None
    text : str
        One or two sentences: the finding and what to do about it.
    """

    name: str
    passed: bool | None
    table: pd.DataFrame | None
    text: str


def precheck(panel: Panel, config: Config) -> list[CheckResult]:
    """Run every check before the fit, on the rows of the window.

    Returns
    -------
    list of CheckResult
        Overview, notes, collinearity, share of spend, weeks of spend, range of spend, prior contribution.
    """
    return [
        _overview(panel),
        _notes(panel),
        _collinearity(panel, config),
        _spend_share(panel),
        _active_periods(panel, config),
        _spend_range(panel),
        _prior_contribution(panel, config),
    ]


def money_word(panel: Panel) -> str:
    """Word for the unit of spend."""
    return panel.currency or "money"


def _overview(panel: Panel) -> CheckResult:
    size = panel.describe()
    kpi = panel.array("kpi")[:, panel.window]
    rows = {"source": panel.source, "sha256": panel.sha256, "target kind": panel.target_kind}
    rows |= {k.replace("_", " "): str(v) for k, v in size.items()}
    rows |= {
        "KPI total": f"{kpi.sum():,.6g}",
        "spend total": f"{panel.array('spend')[:, panel.window].sum():,.6g} {money_word(panel)}",
    }
    table = pd.DataFrame({"what": list(rows), "value": list(rows.values())})
    text = (
        f"{size['window_rows']} {size['frequency']} periods ({size['window_start']} to {size['window_end']}), "
        f"{plural(size['geo'], 'geo')}, {plural(size['channel'], 'channel')}."
    )
    return CheckResult("data overview", None, table, text)


def _notes(panel: Panel) -> CheckResult:
    if not panel.notes:
        return CheckResult("notes", None, None, "Nothing was repaired or left aside.")
    table = pd.DataFrame({"note": list(panel.notes)})
    return CheckResult("notes", None, table, f"{plural(len(panel.notes), 'note')} from reading the table.")


def _columns(panel: Panel) -> tuple[list[str], Floats]:
    """Names and values of all columns of the model, pooled over geos, (row, column)."""
    names: list[str] = []
    blocks = []
    for variable, dim in _MODEL_COLUMNS:
        labels = panel.names(dim)
        names += [f"{label} ({dim})" for label in labels]
        blocks.append(
            panel.array(variable)[:, panel.window].reshape(panel.data.sizes["geo"] * int(panel.window.sum()), len(labels))
        )
    return names, np.concatenate(blocks, axis=1)


def _collinearity(panel: Panel, config: Config) -> CheckResult:
    names, matrix = _columns(panel)
    limits = config.checks
    r = correlations(matrix)
    np.fill_diagonal(r, 0.0)
    closest = np.abs(r).argmax(axis=1)
    table = pd.DataFrame(
        {
            "column": names,
            "vif": inflation(matrix),
            "closest": [names[k] for k in closest],
            "correlation": r[np.arange(len(names)), closest],
        }
    ).sort_values("vif", ascending=False, kind="stable", ignore_index=True)
    pairs = worst_pairs(matrix, names, PAIRS)
    high = [f"{n} ({v:.3g})" for n, v in zip(table["column"], table["vif"], strict=True) if v > limits.vif]
    tight = [f"{a} and {b} ({value:+.2f})" for a, b, value in pairs if abs(value) > limits.correlation]
    worst = f"The closest pairs: {listed([f'{a} and {b} ({value:+.2f})' for a, b, value in pairs], 3)}." if pairs else ""
    found = [f"VIF above {limits.vif:g}: {listed(high)}."] if high else [f"No VIF above {limits.vif:g}."]
    found += [f"Correlation above {limits.correlation:g}: {listed(tight)}."] if tight else [worst] if worst else []
    if high or tight:
        found.append(
            "Effects of these columns are hard to tell apart: expect wide intervals, merge them, or test one by experiment."
        )
    return CheckResult("collinearity", not (high or tight), table, " ".join(found))


def _spend_share(panel: Panel) -> CheckResult:
    total = panel.array("spend")[:, panel.window].sum(axis=(0, 1))
    table = pd.DataFrame({"channel": panel.names("channel"), "spend": total, "share": total / total.sum()})
    table = table.sort_values("share", ascending=False, kind="stable", ignore_index=True)
    text = f"{table['channel'][0]} has {100 * table['share'][0]:.0f} % of {total.sum():,.4g} {money_word(panel)}."
    return CheckResult("share of spend", None, table, text)


def _active_periods(panel: Panel, config: Config) -> CheckResult:
    """Count periods with spend in any geo."""
    spend = panel.array("spend")[:, panel.window]
    active = (spend > 0).any(axis=0).sum(axis=0)
    limit = config.checks.weeks_of_spend
    table = pd.DataFrame(
        {
            "channel": panel.names("channel"),
            "periods": active,
            "of": int(panel.window.sum()),
            "geos": (spend > 0).any(axis=1).sum(axis=0),
        }
    )
    few = [f"{c} ({n})" for c, n in zip(table["channel"], table["periods"], strict=True) if n < limit]
    unit = {"daily": "days", "weekly": "weeks", "monthly": "months"}[panel.frequency]
    if few:
        text = f"Fewer than {limit} {unit} of spend: {listed(few)}. Their estimates rest on the prior; merge or leave out."
    else:
        text = f"Every channel spends in at least {limit} {unit}."
    return CheckResult(f"{unit} of spend", not few, table, text)


def _spend_range(panel: Panel) -> CheckResult:
    spend = panel.array("spend")[:, panel.window]
    records = []
    for i, channel in enumerate(panel.names("channel")):
        cells = spend[:, :, i]
        active = cells[cells > 0]
        period = cells.sum(axis=0)
        nothing = not active.size
        records.append(
            {
                "channel": channel,
                "min_active": np.nan if nothing else active.min(),
                "median_active": np.nan if nothing else np.median(active),
                "max": cells.max(),
                "variation": np.nan if nothing else period.std() / period.mean(),
            }
        )
    table = pd.DataFrame.from_records(records)
    least = int(table["variation"].to_numpy().argmin())
    text = (
        f"Per geo and period where there is spend, in {money_word(panel)}; variation is the coefficient of variation over "
        f"periods. {table['channel'][least]} varies least ({table['variation'][least]:.2f}): what does not vary teaches little "
        "about saturation."
    )
    return CheckResult("range of spend", None, table, text)


def _prior_contribution(panel: Panel, config: Config) -> CheckResult:
    window = panel.window
    spend = dict(zip(panel.names("channel"), panel.array("spend")[:, window].sum(axis=(0, 1)).tolist(), strict=True))
    money = float((panel.array("kpi") * panel.array("unit_value"))[:, window].sum())
    implied = implied_shares(config, spend, panel.names("organic"), money)
    if not implied:
        return CheckResult(
            "prior contribution",
            None,
            None,
            "All effect priors are coefficients, which imply no share of the KPI by themselves.",
        )
    rng = np.random.default_rng(config.seed)
    draws = np.stack([i.draws(rng, DRAWS) for i in implied])
    rows: list[tuple[str, str, float, float, float]] = [
        (i.name, i.prior.kind, i.median, i.quantile(-Z95), i.quantile(Z95)) for i in implied
    ]
    total = draws.sum(axis=0)
    low, middle, high = np.quantile(total, [0.05, 0.5, 0.95])
    rows.append(("all media", "sum", float(middle), float(low), float(high)))
    table = pd.DataFrame(rows, columns=["medium", "kind", "median", "q05", "q95"])
    above = float((total > 1).mean())
    bounds = config.checks.prior_media_share
    text = (
        f"Before the data, media bring {100 * middle:.3g} % of the KPI (90 % interval {100 * low:.3g} to {100 * high:.3g} %); "
        f"{100 * above:.2g} % of prior draws exceed the whole KPI."
    )
    return CheckResult("prior contribution", bool(bounds[0] <= middle <= bounds[1]), table, text)
