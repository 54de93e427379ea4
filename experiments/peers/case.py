"""A case as a folder with ``case.json`` and its table, and the result as one JSON; README.md states both forms."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import diagnostics
import numpy as np
import pandas as pd

FORMAT = 1
OPTIONS: dict[str, Any] = {
    "saturation": "logistic",
    "sampler": "nutpie",
    "chains": 4,
    "draws": 1000,
    "tune": None,
    "seed": 1,
    "cores": 2,
    "carryover": 8,
    "prior_sd": "spend_share",
    "knots": "documented",
    "save": False,
}
MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
STEP = 0.01  # Marginal quantities speak of +1 % of every cell.


@dataclass(frozen=True)
class Case:
    """A case in memory.

    Attributes
    ----------
    table : DataFrame
        One row per date, or per geo and date, sorted by both.
    spend : dict of str to str
        Column of each paid channel's spend.
    exposure : dict of str to str
        Column of what acts, by channel: exposure where it is measured apart, else spend.
    organic : dict of str to str
        Column of each organic medium.
    worth : array, (row,)
        Money per KPI unit.
    """

    name: str
    table: pd.DataFrame
    date: str
    geo: str | None
    population: str | None
    kpi: str
    unit_value: float | str
    spend: dict[str, str]
    exposure: dict[str, str]
    organic: dict[str, str]
    treatments: list[str]
    controls: list[str]
    options: dict[str, Any]

    @property
    def channels(self) -> list[str]:
        """Names of the paid channels."""
        return list(self.spend)

    @property
    def worth(self) -> np.ndarray:
        """Money per KPI unit of each row."""
        if isinstance(self.unit_value, str):
            return self.table[self.unit_value].to_numpy(dtype=float)
        return np.full(len(self.table), float(self.unit_value))

    @property
    def total_spend(self) -> dict[str, float]:
        """Money spent in the window, by channel."""
        return {name: float(self.table[column].sum()) for name, column in self.spend.items()}


def read_case(folder: Path, overrides: Mapping[str, Any]) -> Case:
    """Read a case; ``overrides`` win over the options that it states."""
    stated = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    if stated.get("format") != FORMAT:
        raise SystemExit(f"{folder / 'case.json'}: format {stated.get('format')} where {FORMAT} is read")
    options = {**OPTIONS, **stated.get("options", {}), **overrides}
    if unknown := set(options) - set(OPTIONS):
        raise SystemExit(f"unknown options {sorted(unknown)}; there are {', '.join(OPTIONS)}")
    table = pd.read_csv(folder / stated["table"], parse_dates=[stated["date"]])
    keys = [stated["date"]] if stated["geo"] is None else [stated["geo"], stated["date"]]
    channels = stated["channels"]
    return Case(
        name=stated["name"],
        table=table.sort_values(keys, ignore_index=True),
        date=stated["date"],
        geo=stated["geo"],
        population=stated["population"],
        kpi=stated["kpi"],
        unit_value=stated["unit_value"],
        spend={name: columns["spend"] for name, columns in channels.items()},
        exposure={name: columns.get("exposure") or columns["spend"] for name, columns in channels.items()},
        organic=dict(stated.get("organic") or {}),
        treatments=list(stated.get("treatments") or []),
        controls=list(stated.get("controls") or []),
        options=options,
    )


@dataclass(frozen=True)
class Outcome:
    """What a tool hands back.

    Attributes
    ----------
    seconds : dict of float
        ``import, build, sample, all_in`` of wall time, ``cpu`` of processor time over ``all_in``.
    parameters : dict of str to array, (chain, draw)
        Carryover, saturation and noise, one number each; per-geo parameters already averaged over geos.
    money : callable
        Incremental KPI money with all spend times a multiplier, against zero spend: array, (chain, draw, channel).
    """

    seconds: dict[str, float]
    settings: dict[str, Any]
    parameters: dict[str, np.ndarray]
    divergences: int
    money: Callable[[float], np.ndarray]
    saved_mb: float | None = None


def report(case: Case, peer: str, packages: Sequence[str], outcome: Outcome, out: Path) -> None:
    """Compute what all tools report alike, and write it."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    spend = case.total_spend
    level = {m: outcome.money(m) for m in (1.0, 1.0 + STEP)}
    roas = {name: level[1.0][..., c] / spend[name] for c, name in enumerate(case.channels)}
    marginal = (level[1.0 + STEP] - level[1.0]) / STEP
    curves: dict[str, Any] = {name: [] for name in case.channels}
    for multiplier in MULTIPLIERS:
        mean = np.zeros(len(spend)) if multiplier == 0 else outcome.money(multiplier).mean(axis=(0, 1))
        for c, name in enumerate(case.channels):
            curves[name].append(float(mean[c]))
    chains, draws = level[1.0].shape[:2]
    quantities = {**{f"roas[{name}]": v for name, v in roas.items()}, **outcome.parameters}
    result = {
        "format": FORMAT,
        "peer": peer,
        "case": case.name,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "settings": {"options": case.options, **outcome.settings},
        "seconds": {**outcome.seconds, "process": process_seconds()},
        "peak_rss_mb": peak,
        "saved_mb": outcome.saved_mb,
        "chains": chains,
        "draws": draws,
        "divergences": outcome.divergences,
        "diagnostics": diagnostics.judge(quantities),
        "spend": spend,
        "roas": {name: diagnostics.summarise(v) for name, v in roas.items()},
        "mroas": {name: diagnostics.summarise(marginal[..., c] / spend[name]) for c, name in enumerate(case.channels)},
        "curves": {"multipliers": list(MULTIPLIERS), **curves},
    }
    out.write_text(json.dumps(finite(result), indent=1) + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """Replace numbers that are not finite by None, for JSON."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def cpu_seconds() -> float:
    """Seconds of processor time of this process, all threads, and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def process_seconds() -> float:
    """Seconds since this process started, imports included."""
    stat = Path("/proc/self/stat")
    if not stat.is_file():
        return time.process_time()
    started = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def per_draw(values: np.ndarray, keep: int = 2) -> np.ndarray:
    """Mean over all axes behind the first ``keep``: per-geo parameters become one number per draw."""
    return values.reshape(*values.shape[:keep], -1).mean(axis=-1)


def command_line(description: str | None, argv: Sequence[str] | None = None) -> tuple[Case, Path]:
    """Parse ``FOLDER RESULT [--options JSON]``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path, help="folder with case.json and its table")
    parser.add_argument("result", type=Path, help="JSON to write")
    parser.add_argument("--options", default="{}", help="JSON of options that win over those of the case")
    args = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return read_case(args.folder, json.loads(args.options)), args.result
