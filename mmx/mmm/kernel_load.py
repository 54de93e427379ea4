"""The compiled kernel for the samplers: its addresses, its table of arrays, and a Python callable."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmx.infer import whiten_load
from mmx.infer.target import Native
from mmx.machine import code
from mmx.mmm import evaluate
from mmx.mmm.kernel_arrays import LAYOUT, Arrays

_FILES = (*Path(__file__).parent.glob("kernel*.py"), *code.FILES)
SOURCE = code.Source("mmx.mmm.kernel_call", _FILES)
GENERAL = code.Source("mmx.mmm.kernel_call_general", _FILES)


def native(arrays: Arrays) -> Native:
    """Return the density of these arrays as C functions; the first call compiles all that a fit needs, side by side."""
    source = SOURCE if arrays.features.plain else GENERAL
    code.prepare((source, evaluate.SOURCE, whiten_load.SOURCE))
    addresses = code.load(source)
    return Native(addresses["log_density"], addresses["copy"], code.table_of((arrays,), (LAYOUT,)), arrays)


def bind(arrays: Arrays) -> Callable[[npt.NDArray[np.float64]], tuple[float, npt.NDArray[np.float64]]]:
    """Return ``q (dim,) -> (log density, gradient (dim,))`` for Python callers; it runs without Python's lock."""
    inner, size = native(arrays), arrays.kind.size
    density = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)(inner.density)

    def call(q: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        position = np.ascontiguousarray(q, dtype=np.float64)
        if position.shape != (size,):
            raise ValueError(f"the position has shape {position.shape}; expected ({size},)")
        gradient, value = np.empty(size), np.empty(1)
        density(size, position.ctypes.data, gradient.ctypes.data, value.ctypes.data, inner.table.ctypes.data)
        return float(value[0]), gradient

    return call
