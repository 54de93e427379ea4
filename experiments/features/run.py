"""How large an account may be for ``mmx features``: time, memory and disk up to 50 million ad-days, and a run that adds a day.

Run ``python experiments/features/run.py`` (an hour or two, 40 GB of disk; finished cells are stored
and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import yaml

from mmx.config import read_config
from mmx.workflows.features import run_features

HERE = Path(__file__).parent
START = "2023-01-01"
COLUMNS = ("date", "campaign", "adset", "ad", "spend", "impressions", "clicks", "purchases", "revenue", "reach", "budget")


def generate(folder: Path, settings: dict[str, Any], cell: dict[str, Any]) -> int:
    """Write one Parquet file per month, and one of the day after the last; return the rows without that day."""
    folder.mkdir(parents=True, exist_ok=True)
    ads, days = round(cell["millions"] * 1e6 / cell["days"]), cell["days"]
    con = duckdb.connect()
    con.execute(f"SET threads = {settings['engine']['threads']}; SET memory_limit = '{settings['engine']['memory']}'")
    sets, campaigns = settings["ads_per_set"], settings["sets_per_campaign"]
    # Uniform numbers from a hash of ad, day and what they are for, so that a month does not depend on another.
    con.execute(f"CREATE MACRO u(ad, day, k) AS (hash(ad, day, k, {settings['seed']}) % 1000003) / 1000003.0")
    con.execute(
        f"CREATE VIEW days AS SELECT ad, (DATE '{START}' + day::INTEGER) AS date, "
        f"'campaign ' || (ad // {sets * campaigns}) AS campaign, 'set ' || (ad // {sets}) AS adset, 'ad ' || ad AS name, "
        "round(-20 * ln(1 - u(ad, day, 1)), 2) AS spend, "
        f"round(100 * (1.0 + (hash(ad // {sets}, day // 9) % 5) / 5.0), 2) AS budget, u(ad, day, 2) AS v, u(ad, day, 3) AS w "
        f"FROM range({ads}) AS a(ad), range({days + 1}) AS d(day)"
    )
    row = (
        "date, campaign, adset, name AS ad, spend, (100 * spend)::INTEGER AS impressions, "
        "(1.5 * spend * v)::INTEGER AS clicks, (0.1 * spend * v * w)::INTEGER AS purchases, "
        "round(4 * spend * v * w, 2) AS revenue, (80 * spend)::INTEGER AS reach, budget"
    )
    months = con.execute(
        f"SELECT DISTINCT date_trunc('month', DATE '{START}' + d::INTEGER)::DATE FROM range({days}) AS r(d) ORDER BY 1"
    ).fetchall()
    end = con.execute(f"SELECT DATE '{START}' + {days}").fetchone()
    for (month,) in months:
        inside = f"date >= DATE '{month}' AND date < least(DATE '{month}' + INTERVAL 1 MONTH, DATE '{end[0]}')"
        con.execute(f"COPY (SELECT {row} FROM days WHERE {inside}) TO '{folder / f'{month}.parquet'}' (COMPRESSION zstd)")
    con.execute(f"COPY (SELECT {row} FROM days WHERE date = DATE '{end[0]}') TO '{folder / 'late.parquet'}'")
    return ads * days


def configuration(folder: Path, settings: dict[str, Any], cell: dict[str, Any]) -> dict[str, Any]:
    """Settings that read the generated files."""
    return {
        "name": "size",
        "ads": {
            "files": [str(folder / "2*.parquet")],
            "columns": {name: name for name in COLUMNS},
            "budget": "column",
            "levels": cell["levels"],
            "engine": settings["engine"],
        },
    }


def measured(config: dict[str, Any], out: str) -> dict[str, Any]:
    """Run ``mmx features`` here, with what it took."""
    began, load = time.perf_counter(), os.getloadavg()[0]
    done = run_features(read_config(config), out=out)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "load_before": round(load, 1),
        "peak_gb": round(usage.ru_maxrss / 1e6, 3),
        "computed": len(done.summary["months"]["computed"]),
        "kept": len(done.summary["months"]["kept"]),
        "rows": {level: part["rows"] for level, part in done.summary["coverage"].items()},
    }


def timed(config: dict[str, Any], out: Path) -> dict[str, Any]:
    """The same in a process of its own, whose peak memory is its own."""
    command = [sys.executable, __file__, "--measure", json.dumps(config), "--out", str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def size_of(folder: Path) -> float:
    """Bytes below a folder, in GB."""
    return round(sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e9, 4)


def same(one: Path, other: Path) -> float:
    """Largest relative difference of the sums of every feature between two outputs, over all months of ad sets."""
    con = duckdb.connect()
    worst = 0.0
    for month in sorted((one / "level=adset").glob("*.parquet")):
        sums = []
        for folder in (one, other):
            path = folder / "level=adset" / month.name
            names = [r[0] for r in con.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall() if r[1] in ("DOUBLE", "FLOAT")]
            total = ", ".join(f"sum(CASE WHEN isnan({n}) THEN 0 ELSE {n}::DOUBLE END)" for n in names)
            sums.append(con.execute(f"SELECT {total} FROM '{path}'").fetchone())
        worst = max([worst, *(abs(a - b) / max(1.0, abs(a)) for a, b in zip(*sums, strict=True))])
    return worst


def one(settings: dict[str, Any], cell: dict[str, Any], work: Path) -> dict[str, Any]:
    """Everything of one size: made, computed, computed again unchanged, with a day more, and that in full."""
    inputs, out = work / "input", work / "features"
    began = time.perf_counter()
    rows = generate(inputs, settings, cell)
    result: dict[str, Any] = {**cell, "rows": rows, "generated_seconds": round(time.perf_counter() - began, 2)}
    config = configuration(inputs, settings, cell)
    late = inputs / "late.parquet"
    result["input_gb"] = size_of(inputs)
    result["full"] = timed(config, out)
    result["output_gb"] = {p.name: size_of(p) for p in sorted(out.iterdir()) if p.is_dir()}
    if cell.get("first_only"):
        return result
    result["unchanged"] = timed(config, out)
    late.rename(inputs / "2999.parquet")
    result["one_day_more"] = timed(config, out)
    if cell["millions"] <= 1:
        timed(config, work / "whole")
        result["incremental_against_full"] = same(out, work / "whole")
    return result


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Run the cells that are not stored yet; return all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="check that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the stored cells")
    parser.add_argument("--work", type=Path, help="folder for the tables, on a disk with room; removed after each cell")
    parser.add_argument("--measure", metavar="JSON", help=argparse.SUPPRESS)
    given = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    if given.measure:
        print(json.dumps(measured(json.loads(given.measure), str(given.out))))
        return []
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    settings |= settings["smoke"] if given.smoke else {}
    given.out.mkdir(parents=True, exist_ok=True)
    results = []
    for cell in settings["cells"]:
        name = f"{cell['millions']:g}_million{'_first' if cell.get('first_only') else ''}"
        store = given.out / f"{name}.json"
        if not store.is_file():
            work = (given.work or given.out) / f".work-{name}"
            try:
                store.write_text(json.dumps(one(settings, cell, work), indent=1) + "\n", encoding="utf-8")
            finally:
                shutil.rmtree(work, ignore_errors=True)
        results.append(json.loads(store.read_text(encoding="utf-8")))
    columns = (
        "ad-days | levels | input | output | first run | its CPU | peak memory | unchanged | a day more | its CPU | months"
    )
    print(f"| {columns} |\n|{'---|' * (columns.count('|') + 1)}")
    for r in results:
        full, more = r["full"], r.get("one_day_more")
        sizes = f"{r['input_gb']:.3g} GB | {sum(r['output_gb'].values()):.3g} GB"
        first = f"{full['seconds']:.0f} s | {full['cpu_seconds']:.0f} s | {full['peak_gb']:.2f} GB"
        later = "| | | "
        if more is not None:
            later = f"{r['unchanged']['seconds']:.1f} s | {more['seconds']:.0f} s | {more['cpu_seconds']:.0f} s | "
            later += f"{more['computed']} of {more['computed'] + more['kept']}"
        print(f"| {r['rows']:,} | {', '.join(r['levels'])} | {sizes} | {first} | {later} |")
    return results


if __name__ == "__main__":
    main()
