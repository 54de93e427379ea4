"""One place that prepares JAX: double precision, one thread per call, a compile cache on disk.

Import ``jax`` and ``jnp`` from here. One thread per call, in XLA and in the linear algebra library behind it (for the whole
process), lets the chains of a sampler run side by side: on matrices this small, waiting threads of OpenBLAS cost up to twenty
times the work. It also keeps the order of floating-point sums fixed: the same inputs and seed give the same bytes in every
process. The compile cache only stores machine code that XLA produced for the same program; the test suite checks that a cold
and a warm cache agree.
"""

from __future__ import annotations

import os
from pathlib import Path

_FLAGS = ("--xla_cpu_multi_thread_eigen=false", "intra_op_parallelism_threads=1")


def cache_folder() -> Path:
    """Folder of the compile cache: ``MMX_CACHE_DIR``, else ``mmx`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("MMX_CACHE_DIR") or Path(base) / "mmx")


def _prepare() -> None:
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = " ".join([flags, *(f for f in _FLAGS if f not in flags)]).strip()


_prepare()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import scipy.linalg  # noqa: E402, F401  (loads the library that JAX calls, so that the limit below reaches it)
from threadpoolctl import threadpool_limits  # noqa: E402

threadpool_limits(limits=1, user_api="blas")

jax.config.update("jax_enable_x64", True)
# Run small programs on the calling thread: a sampler's chains would otherwise wait for one shared worker.
jax.config.update("jax_cpu_enable_async_dispatch", False)
if not jax.config.jax_compilation_cache_dir:
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

__all__ = ["cache_folder", "jax", "jnp"]
