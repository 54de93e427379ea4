"""Make a compiled function callable with a table of its arguments: see ``mmx.machine.code``. Imported only to compile."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.ir as ir
from numba import cfunc, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from mmx.machine.code import WORDS

TABLE = types.CPointer(types.int64)


def type_of(code: Any) -> Any:
    """Numba type of a layout's entry."""
    if not isinstance(code, str):
        return types.NamedTuple([type_of(inner) for inner in code], type(code))
    number, dimensions = (types.float64 if code[0] == "f" else types.int64), int(code[1])
    return types.Array(number, dimensions, "C") if dimensions else number


def arguments_of(layout: Sequence[Any]) -> Any:
    """Return a compiled function ``table -> tuple of arguments``, which owns none of them."""
    kind = types.BaseTuple.from_types([type_of(code) for code in layout])

    @intrinsic
    def arguments(context, table):  # type: ignore[no-untyped-def]
        """Return the arguments in a table."""

        def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
            word, places = ir.IntType(64), itertools.count()

            def entry(field: int, place: int) -> Any:
                return builder.load(builder.gep(given[0], [word(field * WORDS + place)]))

            def value(kind: Any) -> Any:
                if isinstance(kind, types.BaseTuple):
                    return context.make_tuple(builder, kind, [value(inner) for inner in kind.types])
                field = next(places)
                if not isinstance(kind, types.Array):
                    raw = entry(field, 0)
                    return builder.bitcast(raw, ir.DoubleType()) if kind is types.float64 else raw
                shape = [entry(field, 1 + i) for i in range(kind.ndim)]
                strides = [word(8)]
                for length in reversed(shape[1:]):
                    strides.insert(0, builder.mul(strides[0], length))
                array = make_array(kind)(context, builder)
                data = builder.inttoptr(entry(field, 0), array.data.type)
                populate_array(array, data=data, shape=shape, strides=strides, itemsize=word(8), meminfo=None)
                return array._getvalue()

            return value(kind)

        return kind(TABLE), generate

    return arguments


def c_function(called: Callable[..., Any], layout: Sequence[Any], options: dict[str, Any]) -> Any:
    """Return a C function ``table -> nothing`` that calls a compiled function with the arguments of a table."""
    arguments = arguments_of(layout)

    def through(table):  # type: ignore[no-untyped-def]
        called(*arguments(table))

    return cfunc(types.void(TABLE), **options)(through)
