"""Load the compiled kernel from its cache, compiling it in a process of its own where it is not there yet.

Code that a process has just compiled and the same code loaded from the cache differ in the last digit of the log density, and
NUTS turns that into other draws. So no process samples with what it compiled itself: the same seed gives the same bytes with a
cold and a warm cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numba

from mmx.mmm import kernel_options

_MODULE = "mmx.mmm.kernel_call"
_EVALUATION = "from mmx.mmm import evaluate, evaluate_options; evaluate_options.compile_all()"


def load() -> Any:
    """Return the module ``mmx.mmm.kernel_call`` with the density compiled."""
    if _MODULE not in sys.modules and not _on_disk() and sys.executable:
        beside = _start(_EVALUATION)  # Needed by the same fit, after sampling.
        code = _start(f"import {_MODULE}").wait()
        beside.wait()  # Where it failed, the fit compiles what it needs.
        if code:
            warnings.warn(
                f"the kernel could not be compiled in a process of its own (exit code {code}): it is compiled here, "
                "and the same seed may give other draws than with a warm cache",
                RuntimeWarning,
                stacklevel=2,
            )
    return import_module(_MODULE)


def _start(program: str) -> subprocess.Popen[bytes]:
    """Start a Python program that finds this copy of the package."""
    path = os.pathsep.join(p for p in (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")) if p)
    return subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path})


def _on_disk() -> bool:
    """Whether this process would load the code: a copy of the package, or another processor, has a folder of its own."""
    folder = Path(numba.config.CACHE_DIR)
    assert kernel_options.OPTIONS  # Imported for the cache folder that it sets.
    return any(folder.glob("**/kernel_call.log_density*.nbi"))
