"""The kernel as a C function, so that a sampler calls it without Python in the loop.

The function gets its data as one table of addresses and lengths. Its form is the one that nutpie expects of a log density:
``(dim, position, gradient, log density, data) -> 0, or a positive number where the density is not finite``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.ir as ir
import numpy as np
import numpy.typing as npt
from numba import carray, cfunc, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from mmx.mmm.kernel import fill
from mmx.mmm.kernel_arrays import Arrays
from mmx.mmm.kernel_memory import give_back, take

_INTEGERS = ("kind", "adstock", "window", "saturation", "at", "special", "direct", "shared", "class_first", "busy")
_FLAT: tuple[str, ...] = (
    "kind",
    "first",
    "second",
    "norm",
    "adstock",
    "window",
    "saturation",
    "special",
    "direct",
    "numerator",
    "shared",
)
_FLAT += ("money", "roots", "y", "w", "own_w", "own_sd", "prior_sd", "frequency", "class_first", "class_size", "busy")
_NUMBERS = {"carry_in": types.int64} | dict.fromkeys(("split_sd", "rows_used", "log_weight"), types.float64)
_CUBES = ("class_cross",)
_ENTRIES = 4  # Of the table per field: the address, or the number's bits, and up to three lengths.


def _type_of(name: str) -> Any:
    if name in _NUMBERS:
        return _NUMBERS[name]
    dimensions = 1 if name in _FLAT else 3 if name in _CUBES else 2
    return types.Array(types.int64 if name in _INTEGERS else types.float64, dimensions, "C")


_TYPE = types.NamedTuple([_type_of(name) for name in Arrays._fields], Arrays)
_DOUBLES = types.CPointer(types.float64)
_SIGNATURE = types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.CPointer(types.int64))


def table_of(arrays: Arrays) -> npt.NDArray[np.int64]:
    """Addresses and lengths of all fields, (field * 4,); valid as long as the arrays are alive."""
    table = np.zeros((len(Arrays._fields), _ENTRIES), dtype=np.int64)
    for row, name in zip(table, Arrays._fields, strict=True):
        value: Any = getattr(arrays, name)
        expected = _type_of(name)
        if name in _NUMBERS:
            row[:1].view(np.float64 if expected is types.float64 else np.int64)[0] = value
            continue
        if value.ndim != expected.ndim or value.dtype.name != expected.dtype.name or not value.flags.c_contiguous:
            raise TypeError(f"kernel array {name}: {value.dtype} of {value.ndim} dimensions does not fit {expected}")
        row[0] = value.ctypes.data
        row[1 : 1 + value.ndim] = value.shape
    return table.ravel()


def bind(arrays: Arrays) -> Callable[[npt.NDArray[np.float64]], tuple[float, npt.NDArray[np.float64]]]:
    """Return ``q (dim,) -> (log density, gradient (dim,))`` for Python callers; it runs without Python's lock."""
    table, size = table_of(arrays), arrays.kind.size
    alive = (table, arrays)  # The C function reads and writes their memory.

    def call(q: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        position = np.ascontiguousarray(q, dtype=np.float64)
        if position.shape != (size,):
            raise ValueError(f"the position has shape {position.shape}; expected ({size},)")
        gradient, value = np.empty(size), np.empty(1)
        _PYTHON(size, position.ctypes.data, gradient.ctypes.data, value.ctypes.data, alive[0].ctypes.data)
        return float(value[0]), gradient

    return call


@intrinsic
def _arrays_at(context, table):  # type: ignore[no-untyped-def]
    """Arrays of a table, without owning them."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        word = ir.IntType(64)

        def entry(field: int, place: int) -> Any:
            return builder.load(builder.gep(arguments[0], [word(field * _ENTRIES + place)]))

        values = []
        for field, kind in enumerate(_TYPE.types):
            if not isinstance(kind, types.Array):
                raw = entry(field, 0)
                values.append(builder.bitcast(raw, ir.DoubleType()) if kind is types.float64 else raw)
                continue
            shape = [entry(field, 1 + i) for i in range(kind.ndim)]
            strides = [word(8)]
            for length in reversed(shape[1:]):
                strides.insert(0, builder.mul(strides[0], length))
            array = make_array(kind)(context, builder)
            data = builder.inttoptr(entry(field, 0), array.data.type)
            populate_array(array, data=data, shape=shape, strides=strides, itemsize=word(8), meminfo=None)
            values.append(array._getvalue())
        return context.make_tuple(builder, _TYPE, values)

    return _TYPE(types.CPointer(types.int64)), generate


@cfunc(_SIGNATURE, cache=True, error_model="numpy")
def log_density(dim, position, gradient, density, table):  # type: ignore[no-untyped-def]
    """Fill gradient and log density at a position (dim,)."""
    a = _arrays_at(table)
    q, slope, result = carray(position, (dim,)), carray(gradient, (dim,)), carray(density, (1,))
    slot = take(a.busy)
    work = a.work[slot] if slot >= 0 else np.empty(a.work.shape[1])
    result[0] = fill(q, a, work, slope)
    if slot >= 0:
        give_back(a.busy, slot)
    total = result[0]
    for i in range(slope.size):
        total += slope[i]
    return 0 if np.isfinite(total) else 3


@cfunc(types.int64(types.uint64, types.uint64, _DOUBLES, _DOUBLES, types.CPointer(types.int64)), cache=True)
def copy(dim, size, position, out, table):  # type: ignore[no-untyped-def]
    """Copy a position (dim,): what a sampler keeps of a draw is the draw."""
    for i in range(dim):
        out[i] = position[i]
    return 0


_PYTHON = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)(log_density.address)
