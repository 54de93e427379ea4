"""The affine map around a compiled C density: ``z -> q``, density and gradient by the inner function. Imported to compile it.

The first coordinates are ``mean + factor z``, the others ``mean + scale z``.

In the form that nutpie expects of a log density: ``(dim, position, gradient, log density, table) -> 0``, or a positive number
where the density is not finite. The table holds five addresses (inner density, inner table, mean, factor,
scale) and the number of dense coordinates.
"""

from __future__ import annotations

import llvmlite.ir as ir
import numpy as np
from numba import carray, cfunc, types
from numba.extending import intrinsic

_DOUBLES, _WORDS = types.CPointer(types.float64), types.CPointer(types.int64)
_SIGNATURE = types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, _WORDS)


@intrinsic
def _doubles(context, address):  # type: ignore[no-untyped-def]
    """Numbers at an address."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.DoubleType().as_pointer())

    return _DOUBLES(types.int64), generate


@intrinsic
def _call(context, function, dim, position, gradient, density, table):  # type: ignore[no-untyped-def]
    """Call the C density at an address; ``position``, ``gradient``, ``density`` and ``table`` are addresses too."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        word, double = ir.IntType(64), ir.DoubleType().as_pointer()
        kind = ir.FunctionType(word, [word, double, double, double, word.as_pointer()])
        inner = builder.inttoptr(arguments[0], kind.as_pointer())
        pointers = [builder.inttoptr(a, t) for a, t in zip(arguments[2:], kind.args[1:], strict=True)]
        return builder.call(inner, [arguments[1], *pointers])

    return types.int64(types.int64, types.int64, types.intp, types.intp, types.intp, types.int64), generate


def _density(dim, position, gradient, density, table):  # type: ignore[no-untyped-def]
    """Fill gradient and log density at a whitened position (dim,)."""
    place = carray(table, (6,))
    size = place[5]
    mean, factor = carray(_doubles(place[2]), (dim,)), carray(_doubles(place[3]), (size, size))
    scale = carray(_doubles(place[4]), (np.int64(dim) - size,))
    z, out, value = carray(position, (dim,)), carray(gradient, (dim,)), carray(density, (1,))
    q, inner = np.empty(dim), np.empty(dim)
    fours = size - size % 4  # Four rows at a time read a vector once; above the diagonal the factor is zero.
    for i in range(0, fours, 4):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for j in range(i + 4):
            a += factor[i, j] * z[j]
            b += factor[i + 1, j] * z[j]
            c += factor[i + 2, j] * z[j]
            d += factor[i + 3, j] * z[j]
        q[i], q[i + 1], q[i + 2], q[i + 3] = mean[i] + a, mean[i + 1] + b, mean[i + 2] + c, mean[i + 3] + d
    for i in range(fours, size):
        total = 0.0
        for j in range(size):
            total += factor[i, j] * z[j]
        q[i] = mean[i] + total
    for i in range(size, np.int64(dim)):
        q[i] = mean[i] + scale[i - size] * z[i]
    code = _call(place[0], np.int64(dim), q.ctypes.data, inner.ctypes.data, value.ctypes.data, place[1])
    for j in range(size):
        out[j] = 0.0
    for i in range(0, fours, 4):
        a, b, c, d = inner[i], inner[i + 1], inner[i + 2], inner[i + 3]
        for j in range(i + 4):
            out[j] += factor[i, j] * a + factor[i + 1, j] * b + factor[i + 2, j] * c + factor[i + 3, j] * d
    for i in range(fours, size):
        for j in range(size):
            out[j] += factor[i, j] * inner[i]
    for i in range(size, np.int64(dim)):
        out[i] = scale[i - size] * inner[i]
    return code


# Sums may be taken in vectors.
FUNCTIONS = {"log_density": cfunc(_SIGNATURE, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})(_density)}
