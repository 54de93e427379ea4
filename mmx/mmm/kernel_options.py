"""How the kernel is compiled, and where its machine code is kept.

Numba notices a change of the file of a cached function but not of the files of the functions it calls, so the cache lies in a
folder named after the text of all kernel files; and after everything else that numba's own index asks for (their place and age,
the versions, the processor), so that machine code that lies there will be loaded and not made anew.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding

from mmx.jax_setup import cache_folder

_FILES = sorted(Path(__file__).parent.glob("kernel*.py"))
_AGES = [path.stat().st_mtime_ns for path in _FILES]
_HOST = (binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(), numba.__version__, sys.version)
_KEY = b"".join(path.read_bytes() for path in _FILES) + repr((str(Path(__file__).parent), _AGES, _HOST)).encode()
numba.config.CACHE_DIR = str(cache_folder() / "numba" / hashlib.sha256(_KEY).hexdigest()[:16])

# Only what others enter is kept on disk, with all that it calls inside: code that was built on functions from the cache differs
# in the last digit from code that was built on functions compiled in the same process.
STRICT: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
# Sums may be taken in vectors. Calls are inlined: handing some forty arrays to a function costs more than most functions.
OPTIONS: dict[str, Any] = {**STRICT, "forceinline": True, "fastmath": {"contract", "reassoc", "nsz"}}
