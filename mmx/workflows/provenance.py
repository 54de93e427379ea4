"""Where a result comes from: hashes of settings and lock file, the commit of the code, versions of what it ran on."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import mmx
from mmx.schema import Config

PACKAGES = ("pymc", "numpyro", "nutpie", "jax", "numba", "arviz", "numpy", "mlflow")
CODE = ("mmx", "pyproject.toml", "requirements.lock")
GIT_SECONDS = 10


def config_sha256(config: Config) -> str:
    """Return the digest of all settings that shape a result.

    Left out are ``tracking``, ``output`` and ``data.path``, which say where things are: the same settings have the same
    digest on every machine, and the data have a digest of their own. The order of channels counts, since it is the order
    in which random numbers are used.
    """
    content = config.model_dump(mode="json", exclude={"tracking": True, "output": True, "table": {"path"}})
    return hashlib.sha256(json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def lock_sha256() -> str | None:
    """Return the digest of ``requirements.lock`` beside the package's source; None where there is none, as when installed."""
    lock = _root() / "requirements.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None


def git_commit() -> str | None:
    """Return the commit of the package's source, with ``+dirty`` where code has changed since; None without a repository."""
    root = _root()
    if not (root / ".git").exists():  # an installed package may lie inside somebody else's repository
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git(root, "status", "--porcelain", "--", *CODE)
    return f"{commit}+dirty" if changed else commit


def versions() -> dict[str, str]:
    """Return the versions of mmx, Python and the packages that shape a result; those not installed are left out."""
    found = {"mmx": mmx.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _root() -> Path:
    return Path(mmx.__file__).resolve().parents[1]


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where it fails; variables that point it to another repository are not passed on."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            env=environment,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
