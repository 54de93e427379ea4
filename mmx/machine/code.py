"""Compiled functions as object code on disk, loaded without the compiler that made them.

A program of its own compiles the functions of a module once; every process loads what lies on disk. So no process runs what
it compiled itself, a cold and a warm cache give the same bytes, and loading takes milliseconds, where numba's own cache needs
all of its type system first. The code lies in a folder named after the text of all files behind it, the compiler's version and
the processor.

A function's arguments come as one table of addresses and lengths: see ``table_of``.
"""

from __future__ import annotations

import builtins
import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import binding

from mmx.jax_setup import cache_folder

FILES = tuple(sorted(Path(__file__).parent.glob("*.py")))
WORDS = 5  # Of a table per argument: the address, or the number's bits, and up to four lengths.
_SYMBOLS = "symbols.json"
_ENGINES: list[Any] = []  # They own the machine code.
_LOADED: dict[Source, dict[str, int]] = {}


@dataclass(frozen=True)
class Source:
    """A module with compiled functions.

    Attributes
    ----------
    module : str
        Has ``FUNCTIONS``, a dict of numba C functions; imported only where they are compiled.
    files : tuple of Path
        All files whose text decides the machine code.
    """

    module: str
    files: tuple[Path, ...]

    @cached_property
    def folder(self) -> Path:
        """Where the object code lies."""
        host = (binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(), version("numba"), version("llvmlite"))
        key = b"".join(path.read_bytes() for path in sorted(self.files)) + repr((host, sys.version)).encode()
        return cache_folder() / "machine" / f"{self.module}-{hashlib.sha256(key).hexdigest()[:16]}"

    @property
    def complete(self) -> bool:
        """Whether it lies there: a folder appears when it is complete."""
        return self.folder.is_dir()


def prepare(sources: Iterable[Source]) -> None:
    """Compile what is missing, side by side, in processes of their own."""
    missing = [source for source in sources if not source.complete]
    if not missing or not sys.executable:
        return
    path = os.pathsep.join(p for p in (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")) if p)
    program = "import pathlib, sys; from mmx.machine import code; code.build_apart(sys.argv[1], pathlib.Path(sys.argv[2]))"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, source.module, str(source.folder)], env={**os.environ, "PYTHONPATH": path}
        )
        for source in missing
    ]
    for process in started:
        process.wait()  # Where one failed, ``load`` compiles here and shows why.


def load(source: Source) -> dict[str, int]:
    """Addresses of a module's functions, by name; compiled first where they are not on disk."""
    if source not in _LOADED:
        prepare([source])
        if not source.complete:
            build(source.module, source.folder)
        _LOADED[source] = _addresses(source.folder)
    return _LOADED[source]


def build(module: str, folder: Path) -> None:
    """Compile the functions of a module and write their object code."""
    functions = import_module(module).FUNCTIONS
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    for name, function in functions.items():
        (made / f"{name}.o").write_bytes(_machine().emit_object(binding.parse_assembly(function.inspect_llvm())))
    symbols = {name: function.native_name for name, function in functions.items()}
    (made / _SYMBOLS).write_text(json.dumps(symbols, indent=1) + "\n", encoding="utf-8")
    _addresses(made)  # What cannot be loaded must not be found.
    try:
        made.rename(folder)
    except OSError:  # Another process was faster.
        shutil.rmtree(made)
        if not folder.is_dir():
            raise


def build_apart(module: str, folder: Path) -> None:
    """Build in a process that runs none of the functions: numba would write machine code of each for itself on the way.

    That takes half of the time. Where numba has other names for these steps, nothing is skipped. Of several processes that
    want the same code one compiles, and the others wait.
    """
    from filelock import FileLock
    from numba.core import codegen

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            _skip_running(codegen)
            build(module, folder)


def _skip_running(codegen: Any) -> None:
    steps = [("JITCodeLibrary", "_finalize_specific"), ("JITCPUCodegen", "_add_module"), ("JITCPUCodegen", "set_env")]
    if all(hasattr(getattr(codegen, owner, None), name) for owner, name in steps):
        for owner, name in steps:
            setattr(getattr(codegen, owner), name, lambda *_: None)


def _machine() -> Any:
    """Return a target machine for this processor, as numba's own."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    target = binding.Target.from_default_triple()
    static = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features, opt=3, reloc=static, codemodel="jitdefault", jit=True
    )


def _addresses(folder: Path) -> dict[str, int]:
    """Load all functions of a folder."""
    symbols = json.loads((folder / _SYMBOLS).read_text(encoding="utf-8"))
    return {name: _address(folder / f"{name}.o", symbol) for name, symbol in symbols.items()}


def _address(path: Path, symbol: str) -> int:
    """Load an object file and return the address of its function."""
    _register()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(path.read_bytes()))
    engine.finalize_object()
    _ENGINES.append(engine)
    return int(engine.get_function_address(symbol))


@cache
def _register() -> None:
    """Tell the linker what numba's code calls beside the C library, as numba itself does: memory, helpers, exceptions."""
    from numba import _dynfunc, _helperlib
    from numba.core.runtime import _nrt_python

    for name, address in _nrt_python.c_helpers.items():
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
    for name, address in (_helperlib.c_helpers | _dynfunc.c_helpers).items():  # type: ignore[attr-defined]
        binding.add_symbol(f"numba_{name}", address)
    for value in vars(builtins).values():
        if isinstance(value, type) and issubclass(value, BaseException):
            binding.add_symbol(f"PyExc_{value.__name__}", id(value))


def table_of(values: Sequence[Any], layout: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Addresses and lengths of arguments; valid as long as they are alive.

    Parameters
    ----------
    values : sequence
        Contiguous arrays, numbers, or named tuples of them.
    layout : sequence
        What each is: ``f`` or ``i`` with its number of dimensions (``f2``: doubles in two dimensions, ``i0``: an integer), or a
        named tuple of these.

    Raises
    ------
    TypeError
        If an array is not what the layout says: the machine code would read other memory.
    """
    rows = list(_rows(values, layout))
    return np.array(rows, dtype=np.int64).ravel()


def _rows(values: Sequence[Any], layout: Sequence[Any]) -> Iterable[list[int]]:
    for i, (value, code) in enumerate(zip(values, layout, strict=True)):
        if not isinstance(code, str):
            yield from _rows(value, code)
            continue
        dtype, dimensions = np.dtype(np.float64 if code[0] == "f" else np.int64), int(code[1])
        if dimensions == 0:
            yield [int(np.array(value, dtype=dtype).view(np.int64)), *[0] * (WORDS - 1)]
            continue
        if value.ndim != dimensions or value.dtype != dtype or not value.flags.c_contiguous:
            name = getattr(layout, "_fields", range(len(layout)))[i]
            raise TypeError(f"argument {name}: {value.dtype} of {value.ndim} dimensions does not fit {code}")
        yield [value.ctypes.data, *value.shape, *[0] * (WORDS - 1 - dimensions)]


def function(address: int) -> Callable[[int], None]:
    """Return a C function of a table's address for Python callers; it runs without Python's lock."""
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)
