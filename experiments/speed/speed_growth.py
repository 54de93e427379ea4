"""How a gradient's time grows with geos, weeks and media: timed as the sampler calls it, through the C function."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import numpy as np
from speed_cases import simulate

from mmx import worlds
from mmx.mmm.inputs import prepare
from mmx.mmm.resolve import resolve
from mmx.mmm.target import build

BATCHES = 5


def target_of(size: dict[str, Any], seed: int) -> Any:
    """Return the default model's target on a simulated table."""
    simulated = simulate({**size, "geos": None if size["geos"] == 1 else size["geos"]}, seed)
    config, panel = worlds.read(simulated)
    spec = resolve(config.spec, panel)
    structure, inputs, _ = prepare(spec, panel, panel.window.astype(float))
    return build(structure, inputs, panel.names("channel"))


def microseconds(target: Any, seconds: float) -> float:
    """Return the time of one value and gradient: the fastest of some batches, after one call that compiles."""
    native = target.native()
    call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)(native.density)
    position, gradient, density = np.zeros(target.dim), np.zeros(target.dim), np.zeros(1)
    pointers = [a.ctypes.data for a in (position, gradient, density, native.table)]
    if call(target.dim, *pointers) != 0 or not np.isfinite(density[0]):
        raise RuntimeError("the density is not finite at the centre of the priors")
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds / BATCHES or count < 1:
        call(target.dim, *pointers)
        count += 1
    times = []
    for _ in range(BATCHES):
        began = time.perf_counter()
        for _ in range(count):
            call(target.dim, *pointers)
        times.append((time.perf_counter() - began) / count)
    return min(times) * 1e6


def exponent(sizes: list[int], times: list[float]) -> float:
    """Slope of log time on log size by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def measure(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Time every axis with the others at the base size, and fit the exponents.

    Returns
    -------
    dict
        By axis ``sizes``, ``microseconds``, ``dim``, ``exponent``, and ``exponent_large`` of the upper half of the sizes.
    """
    out: dict[str, Any] = {"base": settings["base"]}
    for axis in ("geos", "weeks", "media"):
        sizes = [int(n) for n in settings[axis]]
        targets = [target_of({**settings["base"], axis: n}, seed) for n in sizes]
        times = [microseconds(t, settings["seconds"]) for t in targets]
        half = len(sizes) // 2 if len(sizes) > 3 else 0
        out[axis] = {
            "sizes": sizes,
            "microseconds": [round(t, 3) for t in times],
            "dim": [t.dim for t in targets],
            "exponent": round(exponent(sizes, times), 3),
            "exponent_large": round(exponent(sizes[half:], times[half:]), 3),
        }
    return out
