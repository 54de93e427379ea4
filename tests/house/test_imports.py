"""Imports point down the house, never up, and starting the program loads nothing heavy."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mmx

from .arrows import HOUSE, LEVEL, wrong_arrows

PACKAGE = Path(mmx.__file__).parent
HEAVY = ("arviz", "h5py", "jax", "matplotlib", "mlflow", "numba", "numpy", "numpyro", "nutpie", "optuna", "pandas")
HEAVY += ("pyarrow", "pymc", "pytensor", "scipy", "sklearn", "xarray", "xlsxwriter")


def test_imports_point_down():
    assert wrong_arrows(PACKAGE) == []


def planted(tmp_path, place, text):
    """A package with every room, an innocent import in each, and one planted file."""
    package = tmp_path / "mmx"
    for level, rooms in enumerate(HOUSE):
        for room in rooms:
            below = [r for deeper in HOUSE[level + 1 :] for r in deeper]
            folder = package / room
            folder.mkdir(parents=True)
            (folder / "__init__.py").write_text("".join(f"from mmx.{b} import thing\n" for b in below), encoding="utf-8")
    (package / "__init__.py").write_text("from mmx.cli import thing\n", encoding="utf-8")
    assert wrong_arrows(package) == []
    (package / place).write_text(text, encoding="utf-8")
    return wrong_arrows(package)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("response/bad.py", "from mmx.mmm.fit import fit\n"),
        ("response/bad.py", "import mmx.mmm.fit as f\n"),
        ("response/bad.py", "def late():\n    if True:\n        from mmx.mmm import fit\n"),
        ("data/bad.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mmx.infer.gate import Gate\n"),
        ("data/bad.py", "from ..decide import recommend\n"),
        ("data/bad.py", "from .. import decide\n"),
        ("infer/bad.py", "from importlib import import_module\nimport_module('mmx.workflows.fit')\n"),
        ("infer/bad.py", "from mmx import workflows\n"),
        ("infer/bad.py", "from mmx import fit\n"),
        ("report/bad.py", "from mmx.track.store import start_run\n"),
        ("track/bad.py", "from mmx.report.figures import fit_figure\n"),
        ("workflows/bad.py", "import mlflow.entities\n"),
        ("decide/bad.py", "def f():\n    from optuna import create_study\n"),
        ("attic.py", "import json\n"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path, place, text):
    found = planted(tmp_path, place, text)
    assert len(found) == 1
    assert found[0].startswith(place)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("workflows/good.py", "import mmx\nfrom mmx import __version__\nfrom ..data import load\n"),
        ("track/good.py", "import mlflow\nfrom mlflow.entities import Run\n"),
        ("track/good.py", "from mmx.report import format\n"),
        ("data/good.py", "from mmx.data import other\nfrom . import cells\n"),
        ("data/good.py", "text = 'see mmx.workflows for more'\n"),
    ],
)
def test_a_right_arrow_is_left_alone(tmp_path, place, text):
    (tmp_path / "mmx" / "report").mkdir(parents=True)
    (tmp_path / "mmx" / "report" / "format.py").touch()
    (tmp_path / "mmx" / "report").rename(tmp_path / "kept")
    package = tmp_path / "mmx"
    package.rmdir()
    assert planted(tmp_path, "config/fine.py", "import json\n") == []
    (tmp_path / "kept" / "format.py").rename(package / "report" / "format.py")
    (package / place).write_text(text, encoding="utf-8")
    assert wrong_arrows(package) == []


def test_every_room_of_the_package_is_in_the_list():
    rooms = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms <= set(LEVEL)


def loaded(code, *arguments):
    """Names of the top modules that a fresh interpreter has loaded after some code."""
    report = (
        "import atexit, json, sys; atexit.register(lambda: print('\\n' + json.dumps([m for m in sys.modules if '.' not in m])))"
    )
    run = [sys.executable, "-c", f"{report}\n{code}", *arguments]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


RUN = "sys.argv[0] = 'mmx'\nfrom mmx.cli import main\nmain()"


@pytest.mark.parametrize(
    ("code", "arguments"),
    [("import mmx", ()), ("import mmx; dir(mmx); mmx.__version__", ()), (RUN, ("--help",)), (RUN, ("fit", "--help"))],
)
def test_nothing_heavy_is_loaded_to_start(code, arguments):
    assert loaded(code, *arguments) & set(HEAVY) == set()


def test_the_check_for_heavy_modules_can_fail():
    assert "numpy" in loaded("import mmx.data.panel")


def test_help_takes_under_half_a_second():
    """Processor time of the best of three, which a busy machine does not stretch as it does the time on the wall."""
    code = (
        "import os, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL, check=True); "
    )
    code += "t = os.times(); print(t.children_user + t.children_system)"
    start = ["-c", "import sys; sys.argv[0] = 'mmx'\nfrom mmx.cli import main\nmain()", "--help"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    runs = [
        subprocess.run([sys.executable, "-c", code, *start], capture_output=True, text=True, check=True, env=environment)
        for _ in range(3)
    ]
    assert min(float(run.stdout) for run in runs) < 0.5


def test_public_names_are_documented():
    """Every argument stands in the docstring of its function, with what comes back."""
    for name in set(mmx.__all__) - {"__version__"}:
        value = getattr(mmx, name)
        text = inspect.getdoc(value)
        assert text, name
        if inspect.isfunction(value):
            described = text.partition("Parameters\n---")[2]
            for argument in inspect.signature(value).parameters:
                assert re.search(rf"^(\w+, )*{argument}(, \w+)* :|^{argument}$", described, re.MULTILINE), f"{name}: {argument}"
            assert "Returns\n---" in described, name


def test_an_unknown_public_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        mmx.fitt  # noqa: B018
