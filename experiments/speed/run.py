"""How long from a table to a posterior that passes the gate, how much memory: mmx and its peers, side by side.

Run ``python experiments/speed/run.py`` (hours with the peers; finished runs are stored and skipped), with ``--only CASE ...``,
``--no-peers``, or ``--smoke``. Each run is a fresh process; a cold one starts with empty caches of compiled code, a warm one
with those of an earlier run of the same case.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

import run_peer  # noqa: E402
import speed_cases  # noqa: E402
import speed_families  # noqa: E402
import speed_growth  # noqa: E402
import speed_tables  # noqa: E402


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny, mmx alone: checks that the study runs")
    parser.add_argument("--only", nargs="*", default=None, help="names of cases, shell, growth, families")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished runs")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "speed", help="folder of tables and caches")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    study = Study(settings, args.out, args.work, peers=not args.no_peers, own_caches=not args.smoke)
    chosen = args.only if args.only is not None else [*settings["cases"], "shell", "growth", "families"]
    for name in [n for n in settings["cases"] if n in chosen]:
        study.case(name)
    for part in [p for p in ("shell", "growth", "families") if p in chosen]:
        getattr(study, part)()
    print(speed_tables.render(args.out, settings), flush=True)


class Study:
    """Runs one cell after the other and stores each.

    Parameters
    ----------
    settings : dict
        Of config.yaml.
    out, work : Path
        Finished runs; tables and caches.
    peers : bool
        Whether peers are run.
    own_caches : bool
        Whether every tool has caches of its own under ``work``; without it the user's are used, and nothing is cold.
    """

    def __init__(self, settings: dict[str, Any], out: Path, work: Path, *, peers: bool, own_caches: bool) -> None:
        self.settings, self.out, self.work, self.peers, self.own_caches = settings, out, work, peers, own_caches

    def folder(self, name: str, repeat: int = 1) -> Path | None:
        """Folder of a case, made anew, every repeat with other simulated data; None where its table is not at hand."""
        seed = self.settings["seed"] + repeat - 1
        return speed_cases.folder_of(name, self.settings["cases"][name], seed, self.work / "cases" / str(seed))

    def case(self, name: str) -> None:
        """Run all tools on a case, repeat by repeat, so that what is compared ran side by side."""
        case = self.settings["cases"][name]
        tools = {k: v for k, v in case["tools"].items() if self.peers or "peer" not in v}
        for cache, repeat in self.repeats(case):
            folder = self.folder(name, repeat)
            if folder is None:
                print(f"{name}: its table is not at hand (set MMX_DATA_DIR); skipped", flush=True)
                return
            for tool, how in tools.items():
                if self.is_enough(name, tool, cache, repeat):
                    continue
                self.cell(name, tool, {**how, "options": self.options(case, how, repeat)}, folder, cache, repeat, case)

    def repeats(self, case: dict[str, Any]) -> Iterator[tuple[str, int]]:
        """Yield cold and warm runs in turn: cold 1, warm 1, warm 2, ..."""
        counts = self.settings["repeats"]
        if case.get("attempts"):
            yield "cold", 1
            return
        for repeat in range(1, max(counts.values()) + 1):
            for cache in ("cold", "warm"):
                if repeat <= counts[cache]:
                    yield cache, repeat

    def options(self, case: dict[str, Any], how: dict[str, Any], repeat: int) -> dict[str, Any]:
        """Options of one run."""
        seed = self.settings["seed"] + repeat - 1
        common = {**self.settings["sampling"], "seed": seed, "save": bool(case.get("save"))}
        if "peer" not in how:
            common["overrides"] = [*case.get("overrides", []), *how.get("overrides", [])]
        return {**common, **how.get("options", {})}

    def store(self, name: str, tool: str, cache: str, repeat: int) -> Path:
        """File of one run."""
        return self.out / f"{name}--{tool}--{cache}{repeat}.json"

    def is_enough(self, name: str, tool: str, cache: str, repeat: int) -> bool:
        """Whether the tool has run long enough: a slow one has one warm run, a very slow one only its cold run."""
        for earlier, limit in (("cold", self.settings["very_slow"]), ("warm", self.settings["slow"])):
            store = self.store(name, tool, earlier, 1)
            if cache == "warm" and (earlier == "cold" or repeat > 1) and store.is_file():
                result = json.loads(store.read_text(encoding="utf-8"))
                if "failed" in result or result["seconds"]["all_in"] > limit:
                    return True
        return False

    def cell(
        self, name: str, tool: str, how: dict[str, Any], folder: Path, cache: str, repeat: int, case: dict[str, Any]
    ) -> None:
        """Run one tool once, unless it has run."""
        store = self.store(name, tool, cache, repeat)
        if store.is_file():
            return
        caches = self.work / "caches" / name / tool if self.own_caches else None
        if caches is not None and cache == "cold":
            shutil.rmtree(caches, ignore_errors=True)
        if caches is not None and cache == "warm" and not caches.is_dir():
            self.run(how, folder, self.work / "priming.json", caches, case)
        load = os.getloadavg()[0]
        result = self.run(how, folder, self.work / "result.json", caches, case)
        result |= {"tool": tool, "case": name, "cache": cache, "repeat": repeat, "load_before": load, "cores": os.cpu_count()}
        store.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        said = result.get("failed") or f"{result['seconds']['all_in']:.2f} s, R-hat {result['diagnostics']['max_rhat']:.3f}"
        print(f"{name} {tool} {cache} {repeat}: {said}", flush=True)

    def run(self, how: dict[str, Any], folder: Path, out: Path, caches: Path | None, case: dict[str, Any]) -> dict[str, Any]:
        """Start one process and wait for it."""
        cap = case.get("cap", self.settings["cap"])
        out.unlink(missing_ok=True)
        if "peer" in how:
            return run_peer.run_peer(how["peer"], folder, out, how["options"], cap, cache=caches)
        command = [sys.executable, str(HERE / "fit_mmx.py"), str(folder), str(out), "--options", json.dumps(how["options"])]
        return run_peer.run_process(command, out, "mmx", cap, caches)

    def shell(self) -> None:
        """Time ``mmx fit`` from the shell, everything written, on warm caches."""
        name, store = self.settings["shell"]["case"], self.out / "shell.json"
        if name is None or store.is_file():
            return
        folder = self.folder(name)
        assert folder is not None
        command = [str(Path(sys.executable).with_name("mmx")), "fit", str(folder / "mmx.yaml"), "--force"]
        command += ["--out", str(self.work / "shell"), f"tracking.uri=sqlite:///{self.work}/mlflow.db"]
        environment = {**os.environ, **run_peer.cache_variables(self.work / "caches" / "shell")}
        walls = []
        for repeat in range(self.settings["shell"]["repeats"] + 1):
            began = time.perf_counter()
            subprocess.run(command, check=True, env=environment, cwd=self.work, stdout=subprocess.DEVNULL)
            walls.append(time.perf_counter() - began)
            print(f"mmx fit from the shell, run {repeat}: {walls[-1]:.2f} s", flush=True)
        store.write_text(json.dumps({"case": name, "first": walls[0], "warm": walls[1:]}, indent=1) + "\n", encoding="utf-8")

    def growth(self) -> None:
        """Time gradients against sizes."""
        store = self.out / "growth.json"
        if not store.is_file():
            result = speed_growth.measure(self.settings["growth"], self.settings["seed"])
            store.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    def families(self) -> None:
        """Time every family against geometric, Hill and normal."""
        store = self.out / "families.json"
        if self.settings["families"] is not None and not store.is_file():
            result = speed_families.measure(self.settings["families"], self.settings["seed"])
            store.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
