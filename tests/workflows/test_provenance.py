import hashlib
import os
import re
import shutil
import subprocess
from importlib import metadata

import pytest

import mmx
from mmx.config import read_config
from mmx.workflows import provenance
from mmx.workflows.provenance import config_sha256, git_commit, lock_sha256, versions

CONFIG = {
    "name": "shop",
    "data": {
        "path": "shop.csv",
        "date": "day",
        "target": "revenue",
        "channels": {"tv": {"spend": "tv_S"}, "search": {"spend": "search_S"}},
    },
}


def digest(*overrides, source=CONFIG):
    return config_sha256(read_config(source, overrides=overrides))


def test_the_digest_is_that_of_the_settings():
    assert re.fullmatch("[0-9a-f]{64}", digest())
    assert digest() == digest()
    assert digest("model.adstock=two_stage") == digest()
    swapped = CONFIG | {"data": CONFIG["data"] | {"channels": dict(reversed(CONFIG["data"]["channels"].items()))}}
    different = [digest("seed=2"), digest("model.priors.median=2"), digest("name=x"), digest(source=swapped)]
    assert len({digest(), *different}) == 5


@pytest.mark.parametrize("override", ["tracking.uri=null", "output.dir=/elsewhere", "data.path=/elsewhere/shop.csv"])
def test_where_things_are_does_not_change_the_digest(override):
    assert digest(override) == digest()


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_root", lambda: tmp_path)
    return tmp_path


def test_the_lock_file_beside_the_source_is_hashed(root):
    assert lock_sha256() is None
    (root / "requirements.lock").write_bytes(b"numpy==2.5\n")
    assert lock_sha256() == hashlib.sha256(b"numpy==2.5\n").hexdigest()


def git(root, *arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", root, *identity, *arguments], check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_and_whether_the_code_has_changed_since(root, monkeypatch):
    assert git_commit() is None
    git(root, "init", "-q")
    assert git_commit() is None
    (root / "mmx").mkdir()
    (root / "mmx" / "a.py").write_text("1")
    git(root, "add", ".")
    git(root, "commit", "-qm", "a")
    commit = git(root, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert git_commit() == commit
    (root / "notes.txt").write_text("not code")
    assert git_commit() == commit
    (root / "mmx" / "b.py").write_text("2")
    assert git_commit() == f"{commit}+dirty"
    (root / "mmx" / "b.py").unlink()
    (root / "mmx" / "a.py").write_text("3")
    assert git_commit() == f"{commit}+dirty"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_an_installed_package_does_not_take_the_commit_of_the_repository_around_it(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "a")
    (tmp_path / "site-packages").mkdir()
    monkeypatch.setattr(provenance, "_root", lambda: tmp_path / "site-packages")
    assert git_commit() is None


def test_without_git_there_is_no_commit(root, monkeypatch):
    (root / ".git").mkdir()
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_commit() is None


def test_versions_are_those_installed(monkeypatch):
    found = versions()
    assert found["mmx"] == mmx.__version__
    assert found["numpy"] == metadata.version("numpy")
    assert list(found)[:2] == ["mmx", "python"]
    assert {"pymc", "numpyro", "nutpie", "jax", "arviz", "mlflow"} <= set(found)
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    assert set(versions()) == {"mmx", "python", "numpy"}
