"""Wrap a compiled density in the compiled affine map of ``mmx.infer.whiten_native``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmx.infer.target import Native
from mmx.machine import code

Floats = npt.NDArray[np.float64]

SOURCE = code.Source("mmx.infer.whiten_native", (Path(__file__).with_name("whiten_native.py"), *code.FILES))


def whitened(inner: Native, mean: Floats, factor: Floats, scale: Floats) -> Native:
    """Wrap a compiled density.

    Parameters
    ----------
    inner : Native
    mean : array, (dim,)
    factor : array, (dense, dense)
        Lower triangular.
    scale : array, (dim - dense,)
    """
    mean, factor, scale = (np.ascontiguousarray(v, dtype=np.float64) for v in (mean, factor, scale))
    table = [inner.density, inner.table.ctypes.data, mean.ctypes.data, factor.ctypes.data, scale.ctypes.data, len(factor)]
    address = code.load(SOURCE)["log_density"]
    return Native(address, inner.copy, np.array(table, dtype=np.int64), (inner, mean, factor, scale))
