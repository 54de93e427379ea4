"""Object code on disk: compiled once in a process of its own, loaded by all, and never taken for another's."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import mmx
from mmx.infer import whiten_load
from mmx.machine import code
from mmx.mmm import evaluate, kernel_load

PACKAGE = Path(mmx.__file__).parent
MODULE = """
from typing import NamedTuple
import numba
import numpy as np
from mmx.machine.entry import c_function

class Pair(NamedTuple):
    x: object
    n: object

@numba.njit(forceinline=True, error_model="numpy")
def weighted(pair, scale, first, out):
    spare = np.zeros(pair.x.size)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            spare[j] = scale * pair.x[j] + pair.n[i, j]
            out[i, j] = spare[j] + first

LAYOUT = (Pair(x="f1", n="i2"), "f0", "i0", "f2")
FUNCTIONS = {"weighted": c_function(weighted, LAYOUT, {"error_model": "numpy"})}
"""
BUILD = "import sys; from pathlib import Path; from mmx.machine import code; code.build('weighing', Path(sys.argv[1]))"


class Pair(NamedTuple):
    """Two arrays."""

    x: object
    n: object


LAYOUT = (Pair(x="f1", n="i2"), "f0", "i0", "f2")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> code.Source:
    """A module of one function that takes nested arguments and allocates; its cache is empty."""
    file = tmp_path / "weighing.py"
    file.write_text(MODULE, encoding="utf-8")
    monkeypatch.setenv("MMX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(PACKAGE.parent)]))
    return code.Source("weighing", (file,))


def test_a_function_gets_its_arguments(source: code.Source) -> None:
    """Nested tuples, numbers of both kinds and arrays are read from the table and written through it."""
    assert not source.complete
    call = code.function(code.load(source)["weighted"])
    assert source.complete
    assert "weighing" not in sys.modules  # Compiled elsewhere.
    x, n, out = np.array([1.5, 2.5]), np.arange(6).reshape(3, 2), np.zeros((3, 2))
    table = code.table_of((Pair(x, n), 2.0, -4, out), LAYOUT)
    call(table.ctypes.data)
    np.testing.assert_array_equal(out, 2.0 * x + n - 4)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            (Pair(np.zeros(2), np.zeros((3, 2))), 2.0, 1, np.zeros((3, 2))),
            "argument n: float64 .* does not fit i2",
        ),
        ((Pair(np.zeros((2, 2)), np.zeros((3, 2), int)), 2.0, 1, np.zeros((3, 2))), "argument x: .* does not fit f1"),
        ((Pair(np.zeros(2), np.zeros((3, 2), int)), 2.0, 1, np.zeros((2, 3)).T), "argument 3: .* does not fit f2"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(values: tuple[object, ...], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        code.table_of(values, LAYOUT)


def test_other_text_is_other_code(source: code.Source) -> None:
    """The same text in another place is the same code, which a copy of the package shares."""
    copied = source.files[0].with_name("copy.py")
    shutil.copy(source.files[0], copied)
    assert replace(source, files=(copied,)).folder == source.folder
    copied.write_text(MODULE + "\n", encoding="utf-8")
    assert replace(source, files=(copied,)).folder != source.folder


def test_code_that_does_not_compile_is_not_found(source: code.Source, capfd: pytest.CaptureFixture[str]) -> None:
    source.files[0].write_text("raise RuntimeError('no such processor')\n", encoding="utf-8")
    broken = code.Source("weighing", source.files)
    code.prepare([broken])
    assert not broken.complete
    assert "no such processor" in capfd.readouterr().err


def test_two_processes_at_once_leave_one_whole_folder(source: code.Source) -> None:
    both = [subprocess.Popen([sys.executable, "-c", BUILD, str(source.folder)]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert [path.name for path in source.folder.parent.iterdir()] == [source.folder.name]
    assert {path.name for path in source.folder.iterdir()} == {"weighted.o", "symbols.json"}


@pytest.mark.parametrize(
    "source",
    [kernel_load.SOURCE, kernel_load.GENERAL, evaluate.SOURCE, evaluate.PLANS, whiten_load.SOURCE],
    ids=lambda source: source.module,
)
def test_every_file_behind_compiled_code_counts(source: code.Source) -> None:
    """Code is looked for under the text of these files: of one that is missing here a change would find the old code.

    Every import of our own is followed from the compiling module on, except those used for types or the place of the cache.
    """
    behind: set[Path] = set()
    waiting = [source.module]
    while waiting:
        path = PACKAGE.parent.joinpath(*waiting.pop().split(".")).with_suffix(".py")
        if path in behind:
            continue
        behind.add(path)
        body = ast.parse(path.read_text(encoding="utf-8")).body
        names = {str(node.module) for node in body if isinstance(node, ast.ImportFrom)}
        waiting += [name for name in names - {"mmx.mmm.structure", "mmx.jax_setup"} if name.startswith("mmx.")]
    assert behind <= set(source.files)
