"""Hypervolume against seconds of the search engines on one problem of rule parameters; see README.md.

Run ``python experiments/search_engines/run.py`` (eight minutes; finished cells are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from search_problem import OutOfTimeError, chosen, make_problem, reference_of, within

from mmx.config import default_text, merge
from mmx.errors import ConfigError
from mmx.report import canvas
from mmx.tune.hypervolume import hypervolume
from mmx.tune.pareto import front
from mmx.tune.problem import Floats, SearchProblem
from mmx.tune.search import tune
from mmx.tune_settings import TuneSettings

HERE = Path(__file__).parent
WORDS = {"tpe": "TPE", "nsga2": "NSGA-II", "nsga3": "NSGA-III", "cmaes": "CMA-ES", "gp": "GP", "evolution": "vectorised"}
MANY = 10**7  # Trials: the clock ends the search.


class Study:
    """The problem, made when a cell needs it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    @cached_property
    def problem(self) -> SearchProblem:
        """Over all parameters."""
        return make_problem(self.settings)

    def shared(self) -> dict[str, Any]:
        """What all engines have in common: coordinates and the reference point."""
        names = chosen(self.problem, self.settings)
        return {"coordinates": names, "reference": reference_of(self.problem, names, self.settings).tolist()}

    def cell(self, engine: str, seed: int, shared: dict[str, Any]) -> dict[str, Any]:
        """What one engine found: hypervolume at the marks, and its front at the end."""
        inner, clocked = within(self.problem, shared["coordinates"], self.settings["seconds"])
        try:
            tune(inner, self._tuning(engine), study=f"{engine}-{seed}", seed=seed)
        except OutOfTimeError:
            pass
        except ConfigError as error:  # a package is missing
            return {"not_run": str(error.problems[0].came)}
        values, times = np.array(clocked.values), np.array(clocked.times)
        reference = np.array(shared["reference"])
        curve = []
        for mark in self.settings["marks"]:
            until = values[times <= mark]
            curve.append([mark, len(until), hypervolume(until[_front(until)], reference) if len(until) else 0.0])
        return {"evaluations": len(values), "curve": curve, "front": values[_front(values)].tolist()}

    def _tuning(self, engine: str) -> TuneSettings:
        own = self.settings
        base = yaml.safe_load(default_text())["tune"]
        changes = {
            "engine": engine,
            "trials": MANY,
            "batch": own["batch"],
            "storage": {"url": "memory"},
            "screening": {"method": "off"},
            "evolution": {"population": own["population"]},
            "objectives": dict.fromkeys(own["goals"], 1.0),
            "multi": engine != "cmaes",
        }
        return TuneSettings.model_validate(merge(base, changes))


def _front(values: Floats) -> np.ndarray[Any, np.dtype[np.intp]]:
    return front(values, np.zeros(len(values)))


def stored(path: Path, make: Any) -> Any:
    """Content of a finished cell, made where it is missing; what could not run is tried again next time."""
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    made = make()
    if "not_run" not in made:
        path.write_text(json.dumps(made) + "\n", encoding="utf-8")
    return made


def shares(cells: dict[str, list[dict[str, Any]]], reference: Floats) -> dict[str, Floats]:
    """Hypervolume over that of everything that any engine found, (seed, mark), by engine."""
    found = np.concatenate([np.array(one["front"]) for row in cells.values() for one in row if "front" in one])
    whole = hypervolume(found[_front(found)], reference)
    ran = {engine: row for engine, row in cells.items() if "front" in row[0]}
    return {engine: np.array([[v / whole for _, _, v in one["curve"]] for one in row]) for engine, row in ran.items()}


def draw(share: dict[str, Floats], marks: list[float], path: Path) -> None:
    """Write mean and range over seeds of every engine."""
    with canvas.style():
        figure = canvas.new_figure(8, 4.6)
        axes = figure.subplots()
        for (engine, values), colour in zip(share.items(), canvas.PALETTE, strict=False):
            axes.plot(marks, values.mean(axis=0), marker="o", markersize=3, color=colour, label=WORDS[engine])
            axes.fill_between(marks, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        axes.set_xscale("log")
        axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
        axes.set_xlabel("CPU seconds of one process")
        axes.set_ylabel("share of the hypervolume that all found")
        axes.legend(loc="lower right")
        canvas.heading(figure, "What engines find of the front; mean, range over seeds")
        canvas.save(figure, path)


def show(cells: dict[str, list[dict[str, Any]]], share: dict[str, Floats], marks: list[float]) -> None:
    """Print the table."""
    print(f"| engine | evaluations | {' | '.join(f'{mark:g} s' for mark in marks)} | range at the end |")
    print(f"|{'---|' * (len(marks) + 3)}")
    for engine, row in cells.items():
        if engine not in share:
            print(f"| {WORDS[engine]} | not run: {row[0]['not_run']} |{' |' * (len(marks) + 1)}")
            continue
        mean, last = share[engine].mean(axis=0), share[engine][:, -1]
        count = np.mean([one["evaluations"] for one in row])
        values = " | ".join(f"{value:.3f}" for value in mean)
        print(f"| {WORDS[engine]} | {count:,.0f} | {values} | {last.min():.3f}-{last.max():.3f} |")


def main(arguments: list[str] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Run the missing cells, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="check that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the stored cells")
    given = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    settings |= settings["smoke"] if given.smoke else {}
    given.out.mkdir(parents=True, exist_ok=True)
    study = Study(settings)
    shared = stored(given.out / "problem.json", study.shared)
    cells = {
        engine: [
            stored(given.out / f"{engine}_{seed}.json", lambda engine=engine, seed=seed: study.cell(engine, seed, shared))
            for seed in settings["seeds"]
        ]
        for engine in settings["engines"]
    }
    share = shares(cells, np.array(shared["reference"]))
    show(cells, share, settings["marks"])
    draw(share, settings["marks"], given.out / "hypervolume.png")
    return cells


if __name__ == "__main__":
    main()
