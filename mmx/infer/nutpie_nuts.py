"""NUTS by nutpie, one thread per chain, on the compiled twin of a density or on the JAX density itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mmx.infer.target import Draws, Floats, Progress, Target, initial_point, tree_depth
from mmx.jax_setup import jax
from mmx.spec import SamplerSettings

_COMPILED: dict[int, Any] = {}


def value_and_gradient(log_density: Callable[..., jax.Array]) -> Any:
    """Jitted value and gradient; one per density object, so that a second fit of the same shape compiles nothing."""
    key = id(log_density)
    if key not in _COMPILED:
        _COMPILED[key] = (jax.jit(jax.value_and_grad(log_density)), log_density)
    return _COMPILED[key][0]


def through_jax(target: Target) -> Callable[[Floats], tuple[float, Floats]]:
    """Value and gradient of a target without a compiled twin."""
    inputs = jax.device_put(target.inputs, jax.devices("cpu")[0])
    compiled = value_and_gradient(target.log_density)

    def gradient(q: Floats) -> tuple[float, Floats]:
        value, slope = compiled(q, inputs)
        return float(value), np.asarray(slope)

    return gradient


def sample(
    target: Target, settings: SamplerSettings, *, seed: int, start: Draws | None, cores: int, progress: Progress | None
) -> Draws:
    """Sample with nutpie; see ``mmx.infer.sample``."""
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    began = time.perf_counter()
    gradient = target.compiled() if target.compiled is not None else through_jax(target)
    gradient(np.zeros(target.dim))
    compiled_after = time.perf_counter() - began

    def make_logp() -> Callable[..., tuple[float, Any]]:
        return lambda q, **_: gradient(q)

    def make_expand(*_: Any, **__: Any) -> Callable[..., dict[str, Any]]:
        return lambda q, **_: {"q": np.asarray(q, dtype=np.float64)}

    model = from_pyfunc(
        ndim=target.dim,
        make_logp_fn=make_logp,
        make_expand_fn=make_expand,
        expanded_dtypes=[np.dtype("float64")],
        expanded_shapes=[(target.dim,)],
        expanded_names=["q"],
        make_initial_point_fn=lambda chain_seed: initial_point(target.dim, chain_seed, start),
    )
    began = time.perf_counter()
    trace = nutpie.sample(
        model,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=min(cores, settings.chains),
        seed=seed,
        target_accept=settings.target_accept,
        maxdepth=settings.max_depth,
        progress_bar=False,
        progress_callback=_report(progress),
        save_warmup=False,
    )
    return Draws(
        q=np.array(trace["posterior"]["q"].values),
        stats=_statistics(trace["sample_stats"]),
        seconds={"compile": compiled_after, "sample": time.perf_counter() - began},
        sampler="nutpie",
        settings={**settings.model_dump(), "seed": seed},
    )


def _statistics(stats: Any) -> dict[str, np.ndarray]:
    """Put nutpie's sampling statistics into the common vocabulary."""
    return {
        "lp": np.array(stats["logp"].values),
        "acceptance_rate": np.array(stats["mean_tree_accept"].values),
        "diverging": np.array(stats["diverging"].values, dtype=bool),
        "energy": np.array(stats["energy"].values),
        "n_steps": np.array(stats["n_steps"].values, dtype=np.int64),
        "tree_depth": tree_depth(stats["n_steps"].values),
        "reached_max_depth": np.array(stats["maxdepth_reached"].values, dtype=bool),
    }


def _report(progress: Progress | None) -> Callable[[list[Any]], None] | None:
    if progress is None:
        return None

    def report(chains: list[Any]) -> None:
        done, total = sum(c.finished_draws for c in chains), sum(c.total_draws for c in chains)
        progress(done, total, sum(c.divergences for c in chains))

    return report
