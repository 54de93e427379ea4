"""Sizes of files and functions, the lock file, the wheel, the make targets: what keeps the project easy to read and install."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES, FUNCTION_LINES = 400, 60
INDEXES = ("pypi" + ".org", "python" + "hosted.org", "ana" + "conda.org", "index" + "-url", "/sim" + "ple/")


def sources():
    return sorted(p for folder in ("mmx", "tests", "experiments", "scripts") for p in (ROOT / folder).rglob("*.py"))


def long_functions(path):
    """Functions of a file that are longer than the house allows; the docstring does not count."""
    text = path.read_text(encoding="utf-8")
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            if lines > FUNCTION_LINES:
                found.append(f"{path.name}: {node.name} has {lines} lines")
    return found


def long_files(paths):
    """Files that are longer than the house allows."""
    return [p.name for p in paths if len(p.read_text(encoding="utf-8").splitlines()) > FILE_LINES]


def test_files_stay_short():
    assert long_files(sources()) == []


def test_functions_stay_short():
    """Tables of examples in the tests may be long; code may not."""
    code = [p for p in sources() if not p.is_relative_to(ROOT / "tests")]
    assert [place for path in code for place in long_functions(path)] == []


def test_a_long_function_or_file_is_found(tmp_path):
    body = "    x = 1\n" * FUNCTION_LINES
    for text, count in [
        (f"def f():\n    '''One.\n\n    Two.\n    '''\n{body[:-10]}", 0),
        (f"class A:\n    async def f():\n        pass\n        def g():\n{body.replace('    x', '            x')}", 2),
    ]:
        (tmp_path / "case.py").write_text(text, encoding="utf-8")
        assert len(long_functions(tmp_path / "case.py")) == count, text[:40]
    for lines, found in [(FILE_LINES, []), (FILE_LINES + 1, ["case.py"])]:
        (tmp_path / "case.py").write_text("x = 1\n" * lines, encoding="utf-8")
        assert long_files([tmp_path / "case.py"]) == found


def entries(lock):
    """Requirements of a lock file, continuation lines joined."""
    return [line for line in lock.replace("\\\n", " ").splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_the_lock_has_hashes_and_no_address():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert len(entries(lock)) > 100
    for entry in entries(lock):
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+", entry), entry[:60]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:60]


def test_the_lock_names_every_dependency():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *project["build-system"]["requires"]]
    locked = {re.split(r"[=\[; ]", entry)[0] for entry in entries((ROOT / "requirements.lock").read_text(encoding="utf-8"))}
    assert {re.split(r"[<>=\[; ]", name)[0].lower().replace("_", "-") for name in wanted} <= locked


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="no git repository here")
def test_no_file_names_a_package_index():
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    texts = {n: (ROOT / n).read_bytes().decode("utf-8", "replace") for n in names if n and (ROOT / n).is_file()}
    assert "pyproject.toml" in texts
    assert [(n, index) for n, text in texts.items() for index in INDEXES if index in text] == []


def test_the_wheel_ships_the_package_with_its_defaults(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    assert {str(p.relative_to(ROOT)) for p in (ROOT / "mmx").rglob("*.py")} <= inside
    assert {"mmx/report/recommendation.schema.json", "mmx/report/page.css"} <= inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    assert not [name for name in inside if name.startswith(("tests", "experiments", "mlruns"))]
    code = "import mmx, mmx.config as c; print(mmx.__file__); print(c.default_text(), end='')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    place, _, text = done.stdout.partition("\n")
    assert Path(place).is_relative_to(tmp_path)
    assert text == (ROOT / "configs" / "default.yaml").read_text(encoding="utf-8")


def targets():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return re.findall(r"^([a-z][a-z-]*):(.*)$", text, flags=re.MULTILINE)


def test_every_make_target_has_its_help():
    assert {"help", "demo", "test", "lint", "ui"} <= {name for name, _ in targets()}
    assert [name for name, rest in targets() if not re.search(r"## \S", rest)] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_every_target():
    done = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [name for name, _ in targets()]


def test_making_the_environment_without_python_says_what_to_do(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool))
    (tools / "python3.13").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")  # a shim that exists and fails
    (tools / "python3.13").chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / "make_env.sh"), str(tmp_path / "venv")],
        env={"PATH": str(tools), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "needs Python 3.12, 3.13 or 3.14" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(("code", "message"), [(0, "ready after"), (1, "goes on from here")])
def test_making_the_environment_with_pip(tmp_path, code, message):
    """A stand-in for Python makes a stand-in environment: what is asked of pip, and how a failure reads."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "dirname", "date", "sleep", "grep", "tail", "cp", "mkdir", "kill"):
        if (found := shutil.which(tool)) is not None:
            (tools / tool).symlink_to(found)
    fake = tools / "python3.13"
    fake.write_text(
        '#!/bin/sh\nif [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi\n'
        f'if [ "$3" = install ]; then echo "Collecting things"; echo "asked: $*"; exit {code}; fi\n',
        encoding="utf-8",
    )
    fake.chmod(0o755)
    venv = tmp_path / "my venv"
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / "make_env.sh"), str(venv)],
        env={"PATH": str(tools), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (2 if code else 0), done.stderr
    assert message in done.stdout + done.stderr
    log = (venv / "install.log").read_text(encoding="utf-8")
    assert "--require-hashes" in log
    assert log.count("asked:") == (1 if code else 2)
