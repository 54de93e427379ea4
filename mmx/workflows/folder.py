"""Output folders: written beside their place and renamed when complete, so that a half-written one is never found there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mmx.errors import OutputError

MARKER = "run.jsonl"


def refuse_existing(target: Path, force: bool) -> None:
    """Check that a folder may be written, before any work is done.

    Raises
    ------
    OutputError
        When it exists and ``force`` is False, or exists and is not an output of mmx (nothing else is ever deleted), is a
        file, or cannot be written.
    """
    place = _place(target)
    if place.exists() and not place.is_dir():
        raise OutputError(f"the output {target} is a file; expected a folder that does not exist yet. Choose another --out.")
    if place.is_dir():
        if not force:
            raise OutputError(f"the output folder {target} exists already. Choose another --out, or replace it with --force.")
        if Path.cwd().is_relative_to(place):
            raise OutputError(
                f"the output folder {target} holds the working folder and cannot be replaced. Choose another --out."
            )
        if not (place / MARKER).is_file() and any(place.iterdir()):
            raise OutputError(
                f"the folder {target} is not an output of mmx (it has files but no {MARKER}), so --force does not delete it. "
                "Choose another --out, or remove it yourself."
            )
    above = next(p for p in place.parents if p.exists())
    if not above.is_dir():
        raise OutputError(f"the output folder {target} cannot be made: {above} is a file. Choose another --out.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"the output folder {target} cannot be made: {above} may not be written. Choose another --out.")


@contextlib.contextmanager
def output_folder(target: Path, force: bool) -> Iterator[Path]:
    """Give a folder to write into, which becomes ``target`` when the block completes.

    The files go to a hidden folder beside the target. If the block raises, that folder is removed and an existing target
    stays as it was. With ``force`` the old target is renamed away, the new one renamed in, and the old one deleted.

    Raises
    ------
    OutputError
        See `refuse_existing`. When the target came into being meanwhile, the finished files are kept beside it and the
        message says where.
    """
    refuse_existing(target, force)
    place = _place(target)
    partial = place.with_name(f".{place.name}.partial-{os.getpid()}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"the output folder {target} cannot be made ({error.strerror}). Choose another --out.") from error
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _publish(partial, place, target, force)


def write_text_atomic(path: Path, text: str) -> None:
    """Write a UTF-8 file so that a reader finds either the old or the new text.

    Raises
    ------
    OutputError
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written ({error.strerror}). Check the folder and the free space.") from error


def _publish(partial: Path, place: Path, target: Path, force: bool) -> None:
    old: Path | None = None
    try:
        if force and place.is_dir():
            refuse_existing(target, force)
            old = place.with_name(f".{place.name}.old-{os.getpid()}")
            os.rename(place, old)
        os.rename(partial, place)
    except (OSError, OutputError) as error:
        if old is not None and old.exists() and not place.exists():
            os.rename(old, place)
        kept = place.with_name(f"{place.name}.kept-{os.getpid()}")
        os.rename(partial, kept)
        reason = error.strerror if isinstance(error, OSError) else error
        raise OutputError(f"{target} was made by something else meanwhile ({reason}). The results are in {kept}.") from error
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _place(target: Path) -> Path:
    """Return where a target really is, links followed."""
    try:
        place = Path(target).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError(f"the output folder {target} cannot be used ({error}). Choose another --out.") from error
    if not place.name:
        raise OutputError(f"the output folder {target} is the root of the file system. Choose another --out.")
    return place
