"""The imports of a package as arrows between its rooms, and those that point the wrong way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# From the top of the house to its ground; rooms on one line stand side by side and do not import each other.
HOUSE = (
    ("cli",),
    ("cli_rules", "cli_tune"),
    ("cli_options",),
    ("workflows",),
    ("report", "track"),
    ("tune",),
    ("validate",),
    ("worlds",),
    ("decide",),
    ("rules",),
    ("mmm", "lift"),
    ("infer",),
    ("data",),
    ("response",),
    ("config",),
    ("schema",),
    ("lift_settings", "budget_settings", "ads_settings", "rules_settings", "tune_settings"),
    ("information_settings",),
    ("spec",),
    ("priors",),
    ("machine",),
    ("errors", "jax_setup"),
)
LEVEL = {room: level for level, rooms in enumerate(HOUSE) for room in rooms}
# Numbers and sentences as text are pure functions, and what a run's page says must read like the report.
SHARED = {("track", "mmx.report.format"), ("track", "mmx.report.plan_words")}
ONLY_IN = {"mlflow": "track", "optuna": "tune"}
# What code may take from the package itself; everything else there is the users' front door.
FROM_ROOT = {"__version__", "__file__"}
_DOTTED = re.compile(r"mmx(\.\w+)+")


def room_of(module: str) -> str:
    """``mmx.data.panel`` -> ``data``; the package itself has no room."""
    return [*module.split("."), ""][1]


def imports(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that a file imports: at any depth, also for typing, relative or by a string."""
    inside = ["mmx", *path.relative_to(package).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*(inside[: -node.level] if node.level else []), *([node.module] if node.module else [])])
            for alias in node.names:
                below = package.joinpath(*base.split(".")[1:], alias.name)
                is_module = base.split(".")[0] == "mmx" and (below.is_dir() or below.with_suffix(".py").is_file())
                yield node.lineno, f"{base}.{alias.name}" if is_module or base == "mmx" else base
        elif isinstance(node, ast.Constant) and _names_module(node.value):
            yield node.lineno, node.value


def _names_module(value: object) -> bool:
    """Whether a constant is the name of a module, such as a late import takes; tags of a run have dotted names as well."""
    return isinstance(value, str) and _DOTTED.fullmatch(value) is not None and room_of(value) in LEVEL


def wrong_arrows(package: Path) -> list[str]:
    """Every import that points up or sideways, names a room that the list lacks, or takes a library out of its room."""
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        room = place.parts[0].removesuffix(".py")
        if room == "__init__":  # the front door: it may name everything, and nothing comes in through it
            continue
        if room not in LEVEL:
            found.append(f"{place}: the room {room!r} is not in the list")
            continue
        for line, name in imports(path, package):
            if why := _wrong(room, name):
                found.append(f"{place}:{line}: {name}: {why}")
    return found


def _wrong(room: str, name: str) -> str:
    top = name.split(".")[0]
    if top in ONLY_IN:
        return "" if room == ONLY_IN[top] else f"{top} is imported in mmx/{ONLY_IN[top]} only"
    if top != "mmx" or name == "mmx" or name.removeprefix("mmx.") in FROM_ROOT:
        return ""
    target = room_of(name)
    if target not in LEVEL:
        return "code inside the package imports from its rooms, not through the front door"
    if target == room or (room, name) in SHARED or LEVEL[target] > LEVEL[room]:
        return ""
    return f"{room} may not import {target}: imports point down the list"
