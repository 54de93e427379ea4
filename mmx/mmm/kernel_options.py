"""How the kernel is compiled, and where its machine code is kept.

Numba notices a change of the file of a cached function but not of the files of the functions it calls, so the cache lies in a
folder named after the text of all kernel files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba

from mmx.jax_setup import cache_folder

_TEXT = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("kernel*.py")))
numba.config.CACHE_DIR = str(cache_folder() / "numba" / hashlib.sha256(_TEXT).hexdigest()[:16])

# Only what others enter is kept on disk, with all that it calls inside: code that was built on functions from the cache differs
# in the last digit from code that was built on functions compiled in the same process.
STRICT: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
OPTIONS: dict[str, Any] = {**STRICT, "fastmath": {"contract", "reassoc", "nsz"}}  # Sums may be taken in vectors.
