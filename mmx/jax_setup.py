"""One place that prepares JAX, the threads of linear algebra and the folder of compile caches.

Import ``jax`` and ``jnp`` from here: they stand for the modules and load them on first use, because a fit through the compiled
kernel needs neither and JAX takes over a second to import. Double precision and a compile cache on disk are set then.

One thread per call, in XLA and in the linear algebra libraries (for the whole process), lets the chains of a sampler run side
by side: on matrices this small, waiting threads of OpenBLAS cost up to twenty times the work. It also keeps the order of
floating-point sums fixed: the same inputs and seed give the same bytes in every process. The compile cache only stores machine
code that XLA produced for the same program; the test suite checks that a cold and a warm cache agree.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: F401  (loads the linear algebra library that the limit below is set on)
from threadpoolctl import threadpool_limits

_FLAGS = (
    "--xla_cpu_multi_thread_eigen=false",
    "intra_op_parallelism_threads=1",
    "--xla_cpu_parallel_codegen_split_count=4",  # in 32 parts, as XLA would, large programs take a third more CPU seconds
)
_LOADING = threading.RLock()
_MODULES: dict[str, Any] = {}


def cache_folder() -> Path:
    """Folder of the compile cache: ``MMX_CACHE_DIR``, else ``mmx`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("MMX_CACHE_DIR") or Path(base) / "mmx")


@contextmanager
def compiling() -> Iterator[None]:
    """Hold back other processes that enter this.

    Of several that want one program the first compiles it, with all cores, and the others find it in the cache on disk.
    """
    from filelock import FileLock

    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "compiling.lock"):
        yield


def load_jax() -> None:
    """Load JAX as every use of it here expects it; to be called before another library loads it."""
    with _LOADING:
        if _MODULES:
            return
        import jax
        import jax.numpy
        import scipy.linalg  # noqa: F401  (loads the library that JAX calls, so that the limit below reaches it)

        threadpool_limits(limits=1, user_api="blas")
        jax.config.update("jax_enable_x64", True)
        # Run small programs on the calling thread: a sampler's chains would otherwise wait for one shared worker.
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        if not jax.config.jax_compilation_cache_dir:
            jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        _MODULES.update({"jax": jax, "jnp": jax.numpy})


class _Later:
    """A module that is loaded when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if self._name not in _MODULES:
            load_jax()
        return getattr(_MODULES[self._name], attribute)


def _prepare() -> None:
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = " ".join([flags, *(f for f in _FLAGS if f not in flags)]).strip()
    # One thread for the parts of a program; a second one made roll-outs a tenth faster and took half as many CPU seconds more.
    os.environ.setdefault("PJRT_NPROC", "1")
    threadpool_limits(limits=1, user_api="blas")


_prepare()

if TYPE_CHECKING:
    from collections.abc import Iterator

    import jax
    import jax.numpy as jnp
else:
    jax, jnp = _Later("jax"), _Later("jnp")

__all__ = ["cache_folder", "compiling", "jax", "jnp", "load_jax"]
