"""Scratch memory that chains share: each call takes a free slot and gives it back, without a lock and without an allocation."""

from __future__ import annotations

import llvmlite.ir as ir
from numba import njit, types
from numba.extending import intrinsic

from mmx.mmm.kernel_options import OPTIONS


@intrinsic
def _claim(context, address):  # type: ignore[no-untyped-def]
    """Set the integer at an address from 0 to 1 in one step; return whether it was 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        word = ir.IntType(64)
        pointer = builder.inttoptr(arguments[0], word.as_pointer())
        pair = builder.cmpxchg(pointer, word(0), word(1), "acq_rel", "acquire")
        return builder.extract_value(pair, 1)

    return types.boolean(types.intp), generate


@intrinsic
def _release(context, address):  # type: ignore[no-untyped-def]
    """Set the integer at an address to 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        word = ir.IntType(64)
        pointer = builder.inttoptr(arguments[0], word.as_pointer())
        builder.store_atomic(word(0), pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp), generate


@njit(**OPTIONS)
def take(busy):  # type: ignore[no-untyped-def]
    """Return the number of a free slot, now taken, or -1."""
    for slot in range(busy.size):
        if busy[slot] == 0 and _claim(busy.ctypes.data + 8 * slot):
            return slot
    return -1


@njit(**OPTIONS)
def give_back(busy, slot):  # type: ignore[no-untyped-def]
    """Free a slot."""
    _release(busy.ctypes.data + 8 * slot)
