"""Run a peer on a case in the peer's own environment, from the environment of mmx; README.md states the forms.

python experiments/peers/run_peer.py meridian FOLDER RESULT.json --options '{"seed": 3}' --timeout 600
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = ("pymc_marketing", "meridian")
TAIL = 1500  # characters of a failed peer's last words


def peer_python(peer: str, environments: Path | None = None) -> Path:
    """Return the interpreter of a peer's environment, made by ``scripts/make_peers.sh``."""
    return (environments or ROOT / ".peers") / peer / "bin" / "python"


def run_peer(
    peer: str,
    folder: Path | str,
    out: Path | str,
    options: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    *,
    cache: Path | str | None = None,
    environments: Path | None = None,
    nice: int = 0,
) -> dict[str, Any]:
    """Fit a case with a peer in a process of its own.

    Parameters
    ----------
    peer : {"pymc_marketing", "meridian"}
    folder : path
        With ``case.json`` and its table.
    out : path
        JSON to write; an older one is removed first.
    options : mapping, optional
        Options that win over those of the case.
    timeout : float, optional
        Seconds of wall time after which the peer and its children are killed.
    cache : path, optional
        Folder of all caches of compiled code: new for a cold run, the same again for a warm one. By default
        ``cache`` in the peer's environment.
    environments : path, optional
        Folder of the environments; ``.peers`` in the repository by default.
    nice : int
        Added to the peer's niceness.

    Returns
    -------
    dict
        The result, or ``{"failed": reason, "peer": peer, "seconds": {"process": wall}}``.
    """
    if peer not in PEERS:
        raise ValueError(f"there is no peer {peer!r}; there are {', '.join(PEERS)}")
    python, out = peer_python(peer, environments), Path(out)
    if not python.is_file():
        return failure(peer, f"{python} is missing: run scripts/make_peers.sh", 0.0)
    out.unlink(missing_ok=True)
    script = HERE / f"fit_{peer}.py"
    command = [str(python), str(script), str(folder), str(out), "--options", json.dumps(dict(options or {}))]
    return run_process(command, out, peer, timeout, cache or python.parents[1] / "cache", nice)


def run_process(
    command: Sequence[str], out: Path, name: str, timeout: float | None, cache: Path | str | None, nice: int = 0
) -> dict[str, Any]:
    """Run a command that writes a JSON, kill it and its children when time is up, and return the JSON or a failure."""
    log = out.with_suffix(".log")
    began = time.perf_counter()
    with log.open("w", encoding="utf-8") as words:
        process = subprocess.Popen(
            ["nice", "-n", str(nice), *command] if nice else list(command),
            stdout=words,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(cache_variables(Path(cache)) if cache is not None else {})},
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return failure(name, f"stopped after {timeout:g} s", time.perf_counter() - began)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    wall = time.perf_counter() - began
    if code != 0 or not out.is_file():
        return failure(name, f"exit status {code}: {log.read_text(encoding='utf-8')[-TAIL:].strip()}", wall)
    log.unlink()
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return result


def cache_variables(cache: Path) -> dict[str, str]:
    """Environment variables that put every tool's compiled code under one folder, which is made."""
    cache = cache.resolve()
    for part in ("xdg", "pytensor", "numba", "jax"):
        (cache / part).mkdir(parents=True, exist_ok=True)
    return {
        "XDG_CACHE_HOME": str(cache / "xdg"),
        "PYTENSOR_FLAGS": f"base_compiledir={cache / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(cache / "numba"),
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONWARNINGS": "ignore",
    }


def failure(peer: str, reason: str, seconds: float) -> dict[str, Any]:
    """Return a failed run as a value."""
    return {"failed": reason, "peer": peer, "seconds": {"process": seconds}}


def write_case(
    folder: Path | str, name: str, table: pd.DataFrame, data: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> Path:
    """Write a case from a table and the ``data`` section of an mmx configuration.

    Parameters
    ----------
    folder : path
        Made where missing.
    name : str
    table : DataFrame
        KPI rows only.
    data : mapping
        ``date, target, channels``, and where there are such ``geo, population, unit_value, organic, treatments, controls``.
    options : mapping, optional

    Returns
    -------
    Path
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if table[data["target"]].isna().any():
        raise ValueError(f"{name}: rows without KPI; a case holds KPI rows only")
    table.to_csv(folder / "table.csv", index=False)
    organic = {
        medium: value if isinstance(value, str) else value["exposure"] for medium, value in (data.get("organic") or {}).items()
    }
    channels = {
        channel: {"spend": columns["spend"], "exposure": columns.get("exposure")}
        for channel, columns in data["channels"].items()
    }
    stated = {
        "format": 1,
        "name": name,
        "table": "table.csv",
        "date": data["date"],
        "geo": data.get("geo"),
        "population": data.get("population"),
        "kpi": data["target"],
        "unit_value": data.get("unit_value") or 1.0,
        "channels": channels,
        "organic": organic,
        "treatments": list(data.get("treatments") or []),
        "controls": list(data.get("controls") or []),
        "options": dict(options or {}),
    }
    (folder / "case.json").write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one peer and print the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--options", default="{}")
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--nice", type=int, default=0)
    args = parser.parse_args(arguments)
    result = run_peer(args.peer, args.folder, args.result, json.loads(args.options), args.timeout, nice=args.nice)
    print(result.get("failed") or json.dumps({k: result[k] for k in ("seconds", "peak_rss_mb", "divergences")}))


if __name__ == "__main__":
    main()
