"""How long the engine takes for a whole search, compile included, against the plain-Python oracle, and how that grows.

Run ``python experiments/rule_engine/run.py`` (minutes; finished parts are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mmx.config import read_config
from mmx.data.ads.history import AccountHistory
from mmx.jax_setup import jax
from mmx.rules.account import account_of
from mmx.rules.calendar import days_ahead, learn_calendar
from mmx.rules.context import days_since_change, first_state
from mmx.rules.engine import Engine
from mmx.rules.response.fit import ResponseFit, fit
from mmx.rules.response.generate import simulate
from mmx.rules.response.settings import ResponseSettings
from mmx.rules.response.simulate import step
from mmx.rules.rollout import roll
from mmx.validate.rule_backtest import Customer, make_stage

HERE = Path(__file__).parent
COMPILING = "/jax/core/compile/"


def customer() -> Customer:
    """What is asked of the rules."""
    return Customer(read_config(HERE.parent / "rule_defaults" / "rules.yaml").rules)


class Accounts:
    """One simulated account and its fitted response model per number of ad sets."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self._made: dict[int, tuple[AccountHistory, ResponseFit]] = {}

    def __call__(self, ad_sets: int) -> tuple[AccountHistory, ResponseFit]:
        """The account of a size."""
        if ad_sets not in self._made:
            own, seed = ResponseSettings(), self.settings["seed"]
            campaigns = max(2, ad_sets // self.settings["campaign_size"])
            history, _ = simulate(seed, own, days=self.settings["history_days"], adsets=ad_sets, campaigns=campaigns)
            self._made[ad_sets] = history, fit(history, own, seed=seed)
        return self._made[ad_sets]


def vectors_of(settings: dict[str, Any], number: int) -> np.ndarray:
    """Parameter sets as a search would try them, (number, parameter)."""
    space, rng = Engine().space, np.random.default_rng(settings["seed"])
    start = space.to_unit(space.default)
    return space.from_unit(np.clip(start + settings["spread"] * rng.standard_normal((number, len(space))), 0.01, 0.99))


def measure(place: Path, part: int, parts: int, repeats: int) -> dict[str, Any]:
    """Roll a part of what lies in a file, in this process: seconds of it and of compiling, then of more times the same."""
    compiling: list[float] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiling.append(seconds) if event.startswith(COMPILING) else None
    )
    vectors, (start, account, future) = pickle.loads(place.read_bytes())
    engine, vectors, out = Engine(), vectors[part::parts], []
    for _ in range(1 + repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        totals = roll(engine, vectors, start, account, future, step, immature_days=0)
        out.append((time.perf_counter() - wall, time.process_time() - cpu))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "first_wall": out[0][0],
        "first_cpu": out[0][1],
        "compile_wall": sum(compiling),
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_gb": usage.ru_maxrss / 1e6,
        "again_cpu": [cpu for _, cpu in out[1:]],
        "revenue": float(totals.expected_revenue.mean()),
    }


def rolled(settings: dict[str, Any], accounts: Accounts, size: dict[str, int], *, empty: bool, repeats: int) -> dict[str, Any]:
    """Roll one size in processes of their own side by side, from their start to the last one's end."""
    history, model = accounts(size["ad_sets"])
    stage = make_stage(history, model, customer(), days=size["days"], draws=size["draws"], seed=settings["seed"])
    inputs = jax.tree.map(np.asarray, (stage.start, stage.account, stage.future))
    with tempfile.TemporaryDirectory() as folder:
        place, parts = Path(folder) / "inputs.pickle", settings["processes"]
        place.write_bytes(pickle.dumps((vectors_of(settings, size["parameter_sets"]), inputs)))
        environment = {name: value for name, value in os.environ.items() if not empty or name != "MMX_CACHE_DIR"}
        environment |= {"XDG_CACHE_HOME": folder} if empty else {}
        command = [sys.executable, __file__, "--measure", str(place), "--repeats", str(repeats), "--part"]
        load, began = os.getloadavg()[0], time.perf_counter()
        running = [
            subprocess.Popen([*command, str(part), str(parts)], stdout=subprocess.PIPE, text=True, env=environment)
            for part in range(parts)
        ]
        said = [process.communicate()[0] for process in running]
        wall = time.perf_counter() - began
    if any(process.returncode for process in running):
        raise RuntimeError("a process that was measured has failed")
    found = [json.loads(text.splitlines()[-1]) for text in said]
    together = {name: sum(one[name] for one in found) for name in ("first_cpu", "cpu", "peak_gb")}
    longest = {name: max(one[name] for one in found) for name in ("first_wall", "compile_wall")}
    again = {"again_cpu": [sum(many) for many in zip(*(one["again_cpu"] for one in found), strict=True)]}
    cells = int(np.prod(list(size.values())))
    revenue = float(np.mean([one["revenue"] for one in found]))
    return {**size, "ad_set_days": cells, "wall": wall, "load_before": load, **together, **longest, **again, "revenue": revenue}


def oracle_seconds(settings: dict[str, Any], accounts: Accounts) -> dict[str, Any]:
    """Time the oracle of the tests on random days of the account's past under random parameter sets."""
    sys.path.insert(0, str(HERE.parents[1]))
    from tests.rules.histories import Case
    from tests.rules.oracle import decide

    history, _ = accounts(settings["whole"]["ad_sets"])
    names, number = Engine().space.names, settings["oracle"]["accounts_days"]
    rng, asked = np.random.default_rng([settings["seed"], 7]), customer().settings
    cases = []
    for vector in vectors_of(settings, number):
        past = history.until(int(rng.integers(42, len(history.dates))))
        since = days_since_change(past.budget, past.first_day)
        money = float(past.budget[-1].sum())
        ahead = days_ahead(past.dates[-1:] + np.timedelta64(1, "D"), money, learn_calendar(past), asked, past)
        day = jax.tree.map(lambda x: np.asarray(x)[0], ahead)
        given = jax.tree.map(np.asarray, (account_of(past, asked, dtype=np.float64), first_state(past.budget[-1], since)))
        cases.append(Case(past, given[0], day, given[1], vector))
    began, cpu = time.perf_counter(), time.process_time()
    for case in cases:
        decide(case, names)
    ad_set_days = number * len(history.adsets)
    return {
        "ad_set_days": ad_set_days,
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "cpu_each": (time.process_time() - cpu) / ad_set_days,
    }


def whole(settings: dict[str, Any], accounts: Accounts) -> dict[str, Any]:
    """The roll-out of a whole search in new processes, and the oracle, in one go; the oracle's CPU seconds count."""
    engine = rolled(settings, accounts, settings["whole"], empty=settings["empty_cache"], repeats=0)
    oracle = oracle_seconds(settings, accounts)
    ratio = oracle["cpu_each"] * engine["ad_set_days"] / engine["wall"]
    return {"engine": engine, "oracle": oracle, "ratio": ratio, "ratio_of_cpu": ratio * engine["wall"] / engine["cpu"]}


def growth(settings: dict[str, Any], accounts: Accounts) -> dict[str, Any]:
    """Seconds of a base size, and with each dimension doubled, compiled before; one process."""
    own = settings["growth"]
    sizes = {"base": own["base"]} | {name: own["base"] | {name: 2 * own["base"][name]} for name in own["doubled"]}
    single = settings | {"processes": 1}
    return {name: rolled(single, accounts, size, empty=False, repeats=own["repeats"]) for name, size in sizes.items()}


def stored(path: Path, make: Any) -> Any:
    """Content of a finished part, made where it is missing."""
    if not path.is_file():
        path.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def show(all_of_it: dict[str, Any], grown: dict[str, Any]) -> None:
    """Print both tables."""
    engine, oracle = all_of_it["engine"], all_of_it["oracle"]
    print("| parameter sets x days x ad sets x draws | seconds | CPU | compiling | ns of CPU each | load before | peak |")
    print("|---|---|---|---|---|---|---|")
    size = " x ".join(f"{engine[name]:,}" for name in ("parameter_sets", "days", "ad_sets", "draws"))
    times = f"{engine['wall']:.1f} | {engine['cpu']:.1f} | {engine['compile_wall']:.1f}"
    each = 1e9 * engine["cpu"] / engine["ad_set_days"]
    print(f"| {size} | {times} | {each:.0f} | {engine['load_before']:.1f} | {engine['peak_gb']:.2f} GB |")
    print(f"\nOracle: {1e6 * oracle['cpu_each']:.0f} us of CPU per ad-set-day; the whole would take it ")
    print(f"{all_of_it['ratio']:,.0f} times as long, {all_of_it['ratio_of_cpu']:,.0f} times by CPU seconds.\n")
    print("| doubled | CPU seconds | times the base |\n|---|---|---|")
    for name, cell in grown.items():
        seconds = min(cell["again_cpu"])
        print(f"| {name} | {seconds:.2f} | {seconds / min(grown['base']['again_cpu']):.2f} |")


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run the missing parts, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="check that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the stored parts")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    if given.measure:
        print(json.dumps(measure(given.measure, *given.part, given.repeats)))
        return {}
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    settings |= settings["smoke"] if given.smoke else {}
    given.out.mkdir(parents=True, exist_ok=True)
    accounts = Accounts(settings)
    found = {
        "growth": stored(given.out / "growth.json", lambda: growth(settings, accounts)),
        "whole": stored(given.out / "whole.json", lambda: whole(settings, accounts)),
    }
    show(found["whole"], found["growth"])
    return found


if __name__ == "__main__":
    main()
