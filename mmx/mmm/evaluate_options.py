"""How the evaluation of draws is compiled, and where its machine code is kept.

As for the kernel, numba's cache lies in a folder named after the text of all files that the compiled functions call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from mmx.jax_setup import cache_folder

_HERE = Path(__file__).parent
_FILES = sorted([*_HERE.glob("evaluate*.py"), _HERE / "kernel_math.py", _HERE / "kernel_options.py"])
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}
_NAME = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()[:16]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function into those that call it; sums may be taken in vectors."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


def exactly(function: Callable[..., Any]) -> Any:
    """Compile a function into those that call it; its operations keep their order."""
    return numba.njit(forceinline=True, error_model="numpy", fastmath={"contract"})(function)


ENTRIES: list[tuple[Any, Any]] = []  # Functions that Python calls, and the signature of each.


def entry(*arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that Python calls, without Python's lock, and keep its machine code.

    Everything that it calls is inside. Otherwise the process that compiles it would call the functions as they were compiled on
    their own, and a process that loads it those of its machine code: the last digits differ.

    Parameters
    ----------
    *arguments : numba types
        Of what the function is called with, so that it can be compiled ahead.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(cache_folder() / "numba" / _NAME)
        try:
            made = numba.njit(cache=True, nogil=True, **_OPTIONS)(function)
        finally:
            numba.config.CACHE_DIR = before
        ENTRIES.append((made, numba.types.void(*arguments)))
        return made

    return decorate


def floats(dimensions: int) -> Any:
    """Type of a contiguous array of doubles."""
    return numba.types.Array(numba.types.float64, dimensions, "C")


def integers(dimensions: int) -> Any:
    """Type of a contiguous array of integers."""
    return numba.types.Array(numba.types.int64, dimensions, "C")


def compile_all() -> None:
    """Compile what is not on disk yet."""
    for made, signature in ENTRIES:
        made.compile(signature.args)
