"""NUTS by nutpie, one thread per chain, on the compiled twin of a density or on the JAX density itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mmx.infer import nutpie_native
from mmx.infer.starts import Starts
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
    target: Target, settings: SamplerSettings, *, seed: int, start: Starts | None, cores: int, progress: Progress | None
) -> Draws:
    """Sample with nutpie; see ``mmx.infer.sample``."""
    began = time.perf_counter()
    native = target.native() if target.native is not None and nutpie_native.available() else None
    gradient = None if native is not None else _gradient(target)
    compiled_after = time.perf_counter() - began
    began = time.perf_counter()
    if native is not None:
        q, stats = nutpie_native.run(native, target.dim, settings, seed=seed, start=start, cores=cores, progress=progress)
    else:
        q, stats = _public(gradient, target.dim, settings, seed=seed, start=start, cores=cores, progress=progress)
    return Draws(
        q=q,
        stats=_statistics(stats),
        seconds={"compile": compiled_after, "sample": time.perf_counter() - began},
        sampler="nutpie",
        settings={**settings.model_dump(), "seed": seed},
        tune_steps=int(stats["tune_steps"]) if "tune_steps" in stats else None,
    )


def _gradient(target: Target) -> Callable[[Floats], tuple[float, Floats]]:
    gradient = target.compiled() if target.compiled is not None else through_jax(target)
    gradient(np.zeros(target.dim))
    return gradient


def _public(
    gradient: Any,
    dim: int,
    settings: SamplerSettings,
    *,
    seed: int,
    start: Starts | None,
    cores: int,
    progress: Progress | None,
) -> tuple[Floats, dict[str, Any]]:
    """Sample through nutpie's public interface: Python is called for every gradient."""
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    def make_logp() -> Callable[..., tuple[float, Any]]:
        return lambda q, **_: gradient(q)

    def make_expand(*_: Any, **__: Any) -> Callable[..., dict[str, Any]]:
        return lambda q, **_: {"q": np.asarray(q, dtype=np.float64)}

    model = from_pyfunc(
        ndim=dim,
        make_logp_fn=make_logp,
        make_expand_fn=make_expand,
        expanded_dtypes=[np.dtype("float64")],
        expanded_shapes=[(dim,)],
        expanded_names=["q"],
        make_initial_point_fn=lambda chain_seed: initial_point(dim, chain_seed, start),
    )
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
        progress_callback=nutpie_native.report(progress),
        save_warmup=False,
    )
    stats = {name: values.values for name, values in trace["sample_stats"].items()}
    return np.array(trace["posterior"]["q"].values), stats


def _statistics(stats: dict[str, Any]) -> dict[str, np.ndarray]:
    """Put nutpie's sampling statistics into the common vocabulary."""
    return {
        "lp": np.array(stats["logp"]),
        "acceptance_rate": np.array(stats["mean_tree_accept"]),
        "diverging": np.array(stats["diverging"], dtype=bool),
        "energy": np.array(stats["energy"]),
        "n_steps": np.array(stats["n_steps"], dtype=np.int64),
        "tree_depth": tree_depth(stats["n_steps"]),
        "reached_max_depth": np.array(stats["maxdepth_reached"], dtype=bool),
    }
