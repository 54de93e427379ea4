"""``report.md``: a fit told to a colleague."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mmx.report import format as fmt
from mmx.report import words

if TYPE_CHECKING:
    from mmx.mmm.tables import FitTables

FILES = (
    ("summary.json", "every number of this page, for programs"),
    ("posterior.nc", "draws of the parameters, an ArviZ DataTree"),
    ("config.yaml", "the resolved configuration"),
    ("channels.csv", "spend, ROAS, mROAS and contribution by channel"),
    ("contributions.csv", "contribution by period and channel"),
    ("baseline.csv", "baseline by period and component"),
    ("response_curves.csv", "response to spend by channel"),
    ("parameters.csv", "posterior of every sampled parameter with R-hat and effective sample sizes"),
    ("run.jsonl", "what was done, in order"),
)
FORECAST = ("forecast.csv", "the KPI of the rows after the window, from their media, controls and events")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table: the first column to the left, the others to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def fit_report(
    tables: FitTables, summary: Mapping[str, Any], *, notes: Sequence[str], currency: str, target_kind: str, name: str
) -> str:
    """Return the text of ``report.md``; the arguments are those of ``write_fit_files``."""
    units = words.fit_units(currency, target_kind)
    dates = pd.to_datetime(tables.fitted["date"])
    first, last = dates.min().strftime("%Y-%m-%d"), dates.max().strftime("%Y-%m-%d")
    lines = [f"# Fit: {fmt.markdown(name)}" if name else "# Fit", ""]
    lines += [_verdict(summary), ""]
    lines += [
        f"- KPI window: {first} to {last}, {len(dates)} periods.",
        f"- Data: sha256 `{summary['data_sha256']}`.",
        f"- Configuration: sha256 `{summary['config_sha256']}`, seed {summary['seed']}.",
        f"- Sampler: {_sampler(summary)}.",
    ]
    lines += ["", "## Channels", "", *_channel_table(tables.channels, units), ""]
    lines += [f"Numbers are posterior means, brackets the {words.INTERVAL}.", ""]
    kpi_unit = currency if target_kind == "money" else words.KPI_UNITS
    lines += ["## Fit", "", *(f"- {line}" for line in words.fit_quality(tables.fit, kpi_unit)), ""]
    for file, caption in (
        ("fit.png", "KPI, posterior mean and residuals"),
        ("contributions.png", "Contributions over time and shares of the KPI"),
        ("response_curves.png", "Response curves"),
    ):
        lines += [f"![{caption}]({file})", ""]
    lines += ["## Notes and decisions", ""]
    lines += [*(f"- {fmt.markdown(n)}" for n in notes)] or ["- None: the data were used as they are."]
    lines += ["", "## Definitions", ""]
    lines += [f"- **{term}**: {text}" for term, text in words.fit_definitions(units, tables.decomposition)]
    files = [*FILES, *([FORECAST] if tables.forecast is not None else [])]
    lines += ["", "## Files", "", *(f"- `{file}`: {what}." for file, what in files), ""]
    lines += ["## Repeat it", "", *_repeat(summary), ""]
    return "\n".join(lines)


def _sampler(summary: Mapping[str, Any]) -> str:
    settings = dict(summary.get("sampler") or {})
    parts = [str(settings.pop("name", "unknown"))]
    parts += [f"{key} {value}" for key, value in settings.items() if isinstance(value, str | int | float)]
    text = ", ".join(parts)
    return text if summary["converged"] else f"{text}; {words.gate_numbers(summary)}"


def _verdict(summary: Mapping[str, Any]) -> str:
    text = fmt.markdown(words.verdict(summary))
    return text if summary["converged"] else f"> **{text}**"


def _channel_table(channels: pd.DataFrame, units: words.Units) -> list[str]:
    """Spend, share and ROAS by channel; ROAS columns only where a channel has one."""
    has_roas = bool(channels["roas_mean"].notna().any())
    header = ["Channel", "Kind", fmt.header("Spend", units.spend), fmt.header("Contribution", units.value), "Share of KPI"]
    if has_roas:
        header += [units.roas, units.mroas]
    rows = []
    for row in channels.to_dict("records"):

        def stats(quantity: str, row: Mapping[Any, Any] = row) -> list[float]:
            return [row[f"{quantity}_{s}"] for s in ("mean", "q05", "q95")]

        paid = row["kind"] == "paid"
        cells = [fmt.markdown(str(row["channel"])), str(row["kind"]), fmt.full(row["spend"]) if paid else ""]
        cells += [fmt.full(row["contribution_mean"]), fmt.percent_interval(*stats("contribution_share"))]
        if has_roas:
            cells += [fmt.interval(*stats("roas")), fmt.interval(*stats("mroas"))] if paid else ["", ""]
        rows.append(cells)
    return table(header, rows)


def _repeat(summary: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{k} {v}" for k, v in (summary.get("versions") or {}).items())
    lines = [
        f"    mmx fit config.yaml --data FILE --seed {summary['seed']} --out NEW_FOLDER",
        "",
        "with `config.yaml` from this folder and the data file of the hash above. The same versions on the same machine give "
        "the same `summary.json` but for times and run ids.",
    ]
    if versions:
        lines += ["", f"Versions: {versions}."]
    return lines
