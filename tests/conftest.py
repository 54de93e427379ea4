"""Two short fits of the small shop, shared by the tests of what comes after sampling. Their gate is open."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmx.mmm.fit import Fit


# The same examples in every run, and no clock: these machines are noisy.
settings.register_profile("mmx", deadline=None, derandomize=True)
settings.load_profile("mmx")

# JAX programs of tests are compiled without optimisation, in six tenths of the time, which is more than they lose. What is
# compiled by other means, the kernels above all, is as users have it. XLA_FLAGS with a level of its own is left alone.
LEVEL = "--xla_backend_optimization_level"
if LEVEL not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {LEVEL}=0".strip()

MAPS = 10_000
RAN = "which data a configuration was fitted on"
# Files that take longest, longest first. ``--dist loadfile --no-loadscope-reorder`` hands files out in order: what comes last
# decides the end.
SLOW = ("mmm/test_kernel.py", "workflows/test_tune.py", "mmm/test_exact.py", "workflows/test_rules.py", "mmm/test_reports.py")
SLOW += ("rules/test_engine.py", "rules/pooling/test_pool.py", "workflows/test_configs.py", "infer/test_samplers.py")


@pytest.fixture(scope="module", autouse=True)
def _few_programs() -> Iterator[None]:
    """Let compiled programs go between files where there are many: each holds memory maps, and a process may have 65,530."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPS:
        from mmx.jax_setup import jax

        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session")
def national_fit() -> Fit:
    """Every family at once, a KPI in units with a changing worth, media history before the window."""
    from mmx.mmm.fit import fit

    from .panels import OPEN_GATE, shop_config, shop_panel

    config = shop_config({"data": {"target_kind": "count", "unit_value": "worth"}, "gate": OPEN_GATE})
    return fit(shop_panel(target_kind="count"), config.spec, seed=1)


@pytest.fixture(scope="session")
def geo_fit() -> Fit:
    """Three geos with population, one family, rows in the middle held out."""
    from mmx.mmm.fit import fit

    from .panels import OPEN_GATE, shop_config, shop_panel

    panel = shop_panel(3)
    weights = panel.window.astype(float)
    weights[30:34] = 0.0
    return fit(panel, shop_config({"gate": OPEN_GATE}, mixed=False).spec, seed=2, weights=weights)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files, then the studies, of which most are one long test."""
    root = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(root).as_posix() if item.path.is_relative_to(root) else ""
        return SLOW.index(name) if name in SLOW else len(SLOW) + (not name.startswith("experiments/"))

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say for every configuration whether it was fitted on a stand-in or on the real file."""
    reports = [
        r for group in ("passed", "failed", "skipped") for r in terminalreporter.stats.get(group, []) if r.when == "call"
    ]
    lines = [str(value) for r in reports for key, value in r.user_properties if key == RAN]
    if lines:
        terminalreporter.section("configurations fitted", sep="-")
        for line in sorted(lines):
            terminalreporter.line(line)
