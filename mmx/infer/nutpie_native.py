"""nutpie's engine on a compiled C function: no Python per gradient, and none of nutpie's Python imports.

This uses the extension module behind nutpie's own PyMC models (``nutpie._lib``), which is not a public interface: the version
is pinned in ``pyproject.toml``, and ``available`` says whether the pieces are there; without them ``nutpie_nuts`` goes through
the public interface, which calls Python for every gradient.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np

from mmx.infer.starts import Starts
from mmx.infer.target import Native, Progress, initial_point
from mmx.spec import SamplerSettings

_PIECES = ("ExpandFunc", "LogpFunc", "ProgressType", "PyMcModel", "PyNutsSettings", "PySampler", "PyStorage", "PyVariable")
_REPORT_MS = 100


@cache
def engine() -> Any:
    """Extension module of nutpie, loaded without its package: importing that imports ArviZ and Matplotlib."""
    if "nutpie._lib" in sys.modules:
        return sys.modules["nutpie._lib"]
    package = importlib.util.find_spec("nutpie")
    if package is None or package.origin is None:
        raise ImportError("nutpie is not installed")
    folder = Path(package.origin).parent
    files = [folder / f"_lib{suffix}" for suffix in EXTENSION_SUFFIXES if (folder / f"_lib{suffix}").exists()]
    if not files:
        raise ImportError(f"nutpie has no extension module _lib in {folder}")
    spec = importlib.util.spec_from_file_location("nutpie._lib", files[0])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["nutpie._lib"] = module
    return module


@cache
def available() -> bool:
    """Whether this version of nutpie has what ``run`` needs."""
    try:
        return all(hasattr(engine(), name) for name in _PIECES)
    except ImportError:
        return False


def run(
    native: Native,
    dim: int,
    settings: SamplerSettings,
    *,
    seed: int,
    start: Starts | None,
    cores: int,
    progress: Progress | None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Sample a compiled density.

    Returns
    -------
    array, (chain, draw, dim)
    dict of array, (chain, draw)
        nutpie's statistics under nutpie's names; and ``tune_steps``, the gradients of all chains' tuning.
    """
    lib = engine()
    options = lib.PyNutsSettings.Diag(seed)
    options.update(
        {
            "num_tune": settings.tune,
            "num_draws": settings.draws,
            "num_chains": settings.chains,
            "maxdepth": settings.max_depth,
            "target_accept": settings.target_accept,
        }
    )
    sizes = {"coordinate": dim}
    model = lib.PyMcModel(
        lib.LogpFunc(native.density, native.table.ctypes.data, native),
        lib.ExpandFunc(dim, dim, native.copy, native.table.ctypes.data, native),
        lib.PyVariable.new_variables(["q"], ["float64"], [(dim,)], sizes, {"q": ("coordinate",)}),
        dim,
        sizes,
        {},
        lambda chain_seed: initial_point(dim, chain_seed, start),
        None,
    )
    sampler = lib.PySampler.from_pymc(
        options,
        min(cores, settings.chains),
        model,
        lib.ProgressType.none(),
        report(progress),
        _REPORT_MS,
        lib.PyStorage.arrow(),
    )
    try:
        sampler.wait(None)
    except BaseException:
        sampler.abort()
        raise
    draws, stats = sampler.take_results().get_arrow_trace()
    return _collect(draws, stats, settings.draws)


def _collect(draws: Any, stats: Any, count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Stack the chains' tables without their tuning draws."""
    import pyarrow

    q = [pyarrow.array(table.column("q")).flatten().to_numpy(False).reshape(table.num_rows, -1)[-count:] for table in draws]
    names = ("logp", "mean_tree_accept", "diverging", "energy", "n_steps", "maxdepth_reached")
    columns = {n: [pyarrow.array(table.column(n)).to_numpy(False)[-count:] for table in stats] for n in names}
    steps = sum(int(pyarrow.array(table.column("n_steps")).to_numpy(False)[:-count].sum()) for table in stats)
    return np.stack(q), {name: np.stack(values) for name, values in columns.items()} | {"tune_steps": np.array(steps)}


def report(progress: Progress | None) -> Any:
    """Return nutpie's progress callback for ours."""
    if progress is None:
        return None

    def call(chains: list[Any]) -> None:
        done, total = sum(c.finished_draws for c in chains), sum(c.total_draws for c in chains)
        progress(done, total, sum(c.divergences for c in chains))

    return call
