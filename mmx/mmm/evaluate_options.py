"""How the evaluation of draws is compiled: everything into the function that Python calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function into those that call it; sums may be taken in vectors."""
    return numba.njit(forceinline=True, **OPTIONS)(function)


def exactly(function: Callable[..., Any]) -> Any:
    """Compile a function into those that call it; its operations keep their order."""
    return numba.njit(forceinline=True, error_model="numpy", fastmath={"contract"})(function)


def called(function: Callable[..., Any]) -> Any:
    """Compile a function that stays one: what is long and called at several places is compiled in less time."""
    return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)
