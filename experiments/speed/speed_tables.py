"""The tables of the study, computed from the stored runs alone."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pandas as pd


def render(results: Path, settings: dict[str, Any]) -> str:
    """Return everything that the stored runs say, as text."""
    runs = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(results.glob("*--*--*.json"))]
    parts = [table_of(runs, settings), ratios_of(runs, settings)]
    for part, file in ((shell_of, "shell.json"), (growth_of, "growth.json"), (families_of, "families.json")):
        if (results / file).is_file():
            parts.append(part(json.loads((results / file).read_text(encoding="utf-8"))))
    return "\n\n".join(p for p in parts if p)


def converged(run: dict[str, Any], gate: dict[str, float]) -> bool:
    """Whether a run passes the gate by the list that all tools share."""
    if "failed" in run:
        return False
    said = run["diagnostics"]
    worst = (said["max_rhat"], said["min_ess_bulk"], said["min_ess_tail"])
    if any(value is None for value in worst):
        return False
    return worst[0] <= gate["max_rhat"] and min(worst[1:]) >= gate["min_ess"] and run["divergences"] == 0


def speed(run: dict[str, Any]) -> float:
    """Return the smallest bulk effective sample size per second of all-in time; 0 for a run that failed."""
    return 0.0 if "failed" in run else float(run["diagnostics"]["min_ess_bulk"] or 0.0) / run["seconds"]["all_in"]


def table_of(runs: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    """One row per case, tool and cache: medians over the repeats."""
    rows = []
    for (case, tool, cache), group in _grouped(runs, settings):
        good = [r for r in group if "failed" not in r]
        row: dict[str, Any] = {"case": case, "tool": tool, "cache": cache, "runs": len(group)}
        if not good:
            rows.append({**row, "gate": group[0]["failed"].splitlines()[-1][-60:]})
            continue
        times = [r["seconds"]["all_in"] for r in good]
        rows.append(
            {
                **row,
                "all-in s (min)": min(times),
                "(median)": statistics.median(times),
                "with imports s": statistics.median(r["seconds"]["process"] for r in good),
                "min ESS": statistics.median(r["diagnostics"]["min_ess_bulk"] or 0 for r in good),
                "ESS/s": statistics.median(speed(r) for r in good),
                "R-hat": max(r["diagnostics"]["max_rhat"] or float("inf") for r in good),
                "diverging": sum(r["divergences"] for r in good),
                "gate": f"{sum(converged(r, settings['gate']) for r in good)}/{len(group)}",
                "peak MB": max(r["peak_rss_mb"] for r in good),
                "file MB": max((r["saved_mb"] for r in good if r.get("saved_mb") is not None), default=float("nan")),
                "load": max(r["load_before"] for r in group),
            }
        )
    return pd.DataFrame(rows).round(3).to_string(index=False, na_rep="") if rows else ""


def ratios_of(runs: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    """Effective draws per second of mmx over those of the reference peer of each case, run by run."""
    lines = ["mmx against the fastest peer that converges; else, marked, against the peer with the lowest R-hat"]
    for case in settings["cases"]:
        for cache in ("cold", "warm"):
            ours = _of(runs, case, "mmx", cache)
            names = [t for t in settings["cases"][case]["tools"] if t != "mmx"]
            peers = {t: _of(runs, case, t, cache) or _of(runs, case, t, "cold") for t in names}
            named = reference({t: g for t, g in peers.items() if any("failed" not in r for r in g)}, settings["gate"])
            if not ours or named is None:
                continue
            peer, through = named
            theirs = [r for r in peers[peer] if "failed" not in r]
            found = [speed(r) / speed(theirs[min(i, len(theirs) - 1)]) for i, r in enumerate(ours)]
            note = "" if through else " (which does not converge)"
            note += "" if theirs[0]["cache"] == cache else " (its cold run; it has no warm one)"
            mine = "" if all(converged(r, settings["gate"]) for r in ours) else " (mmx does not converge)"
            lines.append(
                f"{case}, {cache}: {min(found):.1f}x at least, {statistics.median(found):.1f}x median of {len(found)}"
                f" against {len(theirs)} of {peer}{note}{mine}"
            )
    return "\n".join(lines) if len(lines) > 1 else ""


def reference(peers: dict[str, list[dict[str, Any]]], gate: dict[str, float]) -> tuple[str, bool] | None:
    """Return the peer to compare with, and whether it converges."""
    through = [t for t, g in peers.items() if all(converged(r, gate) for r in g if "failed" not in r)]
    if through:
        return max(through, key=lambda t: statistics.median(speed(r) for r in peers[t] if "failed" not in r)), True
    if not peers:
        return None
    return min(peers, key=lambda t: min(_rhat(r) for r in peers[t] if "failed" not in r)), False


def _rhat(run: dict[str, Any]) -> float:
    value = run["diagnostics"]["max_rhat"]
    return float("inf") if value is None else float(value)


def shell_of(result: dict[str, Any]) -> str:
    """Return the line of the command line."""
    warm = ", ".join(f"{wall:.2f}" for wall in result["warm"])
    return f"mmx fit of {result['case']} from the shell, everything written: first {result['first']:.2f} s, warm {warm} s"


def growth_of(result: dict[str, Any]) -> str:
    """Return microseconds per gradient by size, with the fitted exponents."""
    lines = [f"microseconds per gradient around {result['base']}"]
    for axis in ("geos", "weeks", "media"):
        found = result[axis]
        pairs = ", ".join(f"{n}: {t:g}" for n, t in zip(found["sizes"], found["microseconds"], strict=True))
        lines.append(f"{axis}: {pairs}; exponent {found['exponent']} ({found['exponent_large']} in the upper half)")
    return "\n".join(lines)


def families_of(result: dict[str, Any]) -> str:
    """Return the cost of every family over that of geometric, Hill and normal."""
    cases = result["gradient"]
    ratios = pd.DataFrame({case: {name: row["ratio"] for name, row in rows.items()} for case, rows in cases.items()})
    told = [f"gradient over that of {ratios.index[0]}\n{ratios.to_string()}"]
    for case, rows in result["fits"].items():
        fits = pd.DataFrame({k: {**row, "normal": row["normal"]["seconds"]} for k, row in rows.items()}).T
        told.append(f"fits, {case}; normal: its seconds, right before\n{fits.to_string()}")
    return "\n\n".join(told)


def _of(runs: list[dict[str, Any]], case: str, tool: str, cache: str) -> list[dict[str, Any]]:
    found = [r for r in runs if (r["case"], r["tool"], r["cache"]) == (case, tool, cache)]
    return sorted(found, key=lambda r: r["repeat"])


def _grouped(runs: list[dict[str, Any]], settings: dict[str, Any]) -> list[tuple[tuple[str, str, str], list[dict[str, Any]]]]:
    keys = sorted(
        {(r["case"], r["tool"], r["cache"]) for r in runs if r["case"] in settings["cases"]},
        key=lambda k: (list(settings["cases"]).index(k[0]), k[2], not k[1].startswith("mmx"), k[1]),
    )
    return [(key, _of(runs, *key)) for key in keys]
