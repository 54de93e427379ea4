"""How the kernel is compiled."""

from __future__ import annotations

from typing import Any

STRICT: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
# Sums may be taken in vectors. Calls are inlined: handing some forty arrays to a function costs more than most functions.
OPTIONS: dict[str, Any] = {**STRICT, "forceinline": True, "fastmath": {"contract", "reassoc", "nsz"}}
# For what is long and called once: a function that stays one is compiled in less time.
CALLED: dict[str, Any] = {**OPTIONS, "forceinline": False}
