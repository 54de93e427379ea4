"""Features of ads, ad sets, campaigns and accounts: one Parquet file per level and month, only what changed computed anew."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.config import Config
from mmx.data.ads.definitions import FEATURES, features_of
from mmx.data.ads.entities import LEVELS
from mmx.data.ads.months import Month, months_of, settings_digest, write_month
from mmx.data.ads.prepare import Prepared, prepare
from mmx.data.ads.read import paired_days
from mmx.data.ads.signal import signal_of
from mmx.data.ads.sources import connect, input_files, sha256_of
from mmx.errors import OutputError
from mmx.workflows.folder import MARKER, output_folder, refuse_existing, write_text_atomic
from mmx.workflows.journal import Journal

if TYPE_CHECKING:
    import duckdb

MANIFEST, SUMMARY = "manifest.json", "summary.json"


@dataclass(frozen=True)
class FeatureRun:
    """What ``mmx features`` did.

    Attributes
    ----------
    folder : Path
    summary : mapping
        Content of ``summary.json``.
    """

    folder: Path
    summary: Mapping[str, Any]


def run_features(config: Config, *, out: str | Path | None = None, force: bool = False, quiet: bool = False) -> FeatureRun:
    """Compute the features of the tables of ads that a configuration names.

    Parameters
    ----------
    config : Config
    out : path, optional
        Output folder, ``NAME-features`` under ``output.dir`` by default. One that this command wrote is brought up to date:
        months whose input did not change are kept.
    force : bool
        Compute every month; replace a folder that another command of mmx wrote.
    quiet : bool
        Show no progress.

    Raises
    ------
    ConfigError, DataError, OutputError
        The folder stays as it was.
    """
    settings = config.ads
    folder = Path(out) if out is not None else Path(config.output.dir) / f"{config.name}-features"
    earlier = None if force else _manifest(folder)
    refuse_existing(folder, force or earlier is not None)
    journal = Journal(quiet=quiet)
    with journal.stage("digest", label="look for changes") as stage:
        digests = sha256_of(input_files(settings))
        stage.inputs = list(digests)
        state = {"settings": settings_digest(settings), "levels": list(settings.levels), "files": digests}
    if earlier is not None and earlier["state"] == state:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        months = summary["months"]
        return FeatureRun(folder, {**summary, "months": {"computed": [], "kept": sorted(months["computed"] + months["kept"])}})
    place = folder.expanduser().resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=f".{place.name}.database-", dir=settings.engine.temp or place.parent) as scratch,
        output_folder(folder, force or earlier is not None) as partial,
    ):
        journal.open(partial / MARKER)
        con = connect(settings, Path(scratch) / "spill", str(Path(scratch) / "ads.duckdb"))
        try:
            with journal.stage("read", inputs=list(digests), label="read the tables of ads") as stage:
                prepared = prepare(con, settings, stage.update)
                stage.rows = prepared.raw.rows
            made = _months(con, prepared, config, folder, partial, earlier, journal)
            with journal.stage("summary", label="write the summary"):
                summary = _summary(con, prepared, config, made)
                _write(partial, prepared, summary, {"format": 1, "state": state, "months": made["months"]})
        finally:
            con.close()
    return FeatureRun(folder, summary)


def _manifest(folder: Path) -> dict[str, Any] | None:
    """Return what an earlier run left; None where the folder is not one of this command."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be read ({error}). Compute everything anew with --force.") from error
    return found if isinstance(found, dict) and found.get("format") == 1 and (folder / SUMMARY).is_file() else None


def _months(
    con: duckdb.DuckDBPyConnection,
    prepared: Prepared,
    config: Config,
    folder: Path,
    partial: Path,
    earlier: Mapping[str, Any] | None,
    journal: Journal,
) -> dict[str, Any]:
    """Compute the months whose input changed, and link the others from the folder that is there."""
    settings, orders = config.ads, config.ads.orders is not None
    wanted: list[str] = [level for level in prepared.levels if level in settings.levels]
    known = {} if earlier is None else earlier["months"]
    computed: list[str] = []
    kept: list[str] = []
    months: dict[str, Any] = {}
    with journal.stage("features", label="compute the features") as stage:
        found = months_of(con, prepared.levels, settings, orders)
        for month in found:
            old = known.get(month.name, {})
            if (
                old.get("digest") == month.digest
                and set(old.get("counts", ())) >= set(wanted)
                and _keep(folder, partial, month, wanted)
            ):
                counts: dict[str, dict[str, int]] = {level: old["counts"][level] for level in wanted}
                kept.append(month.name)
            else:
                stage.update(f"{month.name}, {len(computed) + len(kept) + 1} of {len(found)} months")
                counts = write_month(con, month, prepared.levels, partial, settings, orders)
                computed.append(month.name)
            months[month.name] = {"digest": month.digest, "counts": counts}
        stage.rows = sum(c["rows"] for name in computed for c in months[name]["counts"].values())
        stage.outputs = computed
    return {"computed": computed, "kept": kept, "months": months}


def _keep(folder: Path, partial: Path, month: Month, wanted: Sequence[str]) -> bool:
    """Link a month's files into the new folder; False where one is missing."""
    old = folder.expanduser().resolve()
    places = [Path(f"level={level}") / f"{month.name}.parquet" for level in wanted]
    if not all((old / place).is_file() for place in places):
        return False
    for place in [*places, Path("days") / f"{month.name}.parquet"]:
        if (old / place).is_file():
            (partial / place).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(old / place, partial / place)
            except OSError:
                shutil.copy2(old / place, partial / place)
    return True


def _summary(con: duckdb.DuckDBPyConnection, prepared: Prepared, config: Config, made: Mapping[str, Any]) -> dict[str, Any]:
    settings, raw = config.ads, prepared.raw
    entities = {}
    for level in prepared.levels:
        row = con.execute(f"SELECT count(*) FROM names_{level}").fetchone()
        entities[level] = 0 if row is None else row[0]
    coverage = {}
    for level in (level for level in LEVELS if level in settings.levels and level in prepared.levels):
        counts = [month["counts"][level] for month in made["months"].values()]
        rows = sum(c["rows"] for c in counts)
        features = features_of(level, settings.orders is not None)
        shares = {f.name: sum(c[f.name] for c in counts) / rows if rows else 0.0 for f in features}
        coverage[level] = {"rows": rows, "features": shares}
    accounts = [name for (name,) in con.execute("SELECT name FROM names_account ORDER BY id").fetchall()]
    signals = {name: asdict(signal_of(*paired_days(con, settings, name), settings.signal_r2)) for name in accounts}
    return {
        "name": config.name,
        "currency": settings.currency,
        "immature_days": settings.immature_days,
        "rows": raw.rows,
        "rows_used": prepared.rows,
        "rows_added_up": prepared.doubled,
        "start": str(raw.start),
        "end": str(raw.end),
        "raw_totals": raw.totals,
        "missing": raw.missing,
        "recovered": [asdict(r) for r in prepared.recovered],
        "policies": dict(prepared.policies),
        "entities": entities,
        "names": {
            column: {
                "spellings": len(u.spellings),
                "names": [{"name": n, **_spelled(u.spellings, n)} for n in u.names],
                "ambiguous": [[s, list(c)] for s, c in u.ambiguous],
                "apart": [list(a) for a in u.apart],
            }
            for column, u in prepared.unified.items()
        },
        "coverage": coverage,
        "signal": {name: {k: _finite(v) for k, v in s.items()} for name, s in signals.items()},
        "notes": list(prepared.notes),
        "months": {"computed": made["computed"], "kept": made["kept"]},
    }


def _spelled(spellings: Sequence[Any], name: str) -> dict[str, Any]:
    mine = [s for s in spellings if s.name == name]
    slips = [s.spelling for s in mine if s.how == "slip"]
    return {"rows": sum(s.rows for s in mine), "spellings": len(mine), "slips": len(slips), "examples": slips[:3]}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


def _write(partial: Path, prepared: Prepared, summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    names = [
        (column, s.spelling, s.name, s.rows, s.how) for column, unified in prepared.unified.items() for s in unified.spellings
    ]
    coverage = [
        (level, name, part["rows"], f"{share:.6f}")
        for level, part in summary["coverage"].items()
        for name, share in part["features"].items()
    ]
    listing = [(f.name, f.meaning, f.unit, " ".join(f.levels)) for f in FEATURES]
    _csv(partial / "names.csv", ("column", "spelling", "name", "rows", "how"), names)
    _csv(partial / "coverage.csv", ("level", "feature", "rows", "share"), coverage)
    _csv(partial / "features.csv", ("feature", "meaning", "unit", "levels"), listing)
    for name, content in ((SUMMARY, summary), (MANIFEST, manifest)):
        write_text_atomic(partial / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text_atomic(path, text.getvalue())
