"""ARCHITECTURE.md says what is true: what it names exists, every room stands in it, in the order that imports keep."""

import re
from pathlib import Path

import mmx

from .arrows import HOUSE, LEVEL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
HOUSE_LIST = PAGE.split("```")[1]


def rooms():
    """The rooms of the house list, from top to ground."""
    return re.findall(r"^mmx/(\w+)(?:/|\.py) ", HOUSE_LIST, flags=re.MULTILINE)


def test_every_path_it_names_exists():
    named = set(re.findall(r"\b(?:mmx|tests|experiments|configs|scripts)/[\w./-]*", PAGE))
    assert "mmx/report/" in named
    assert [path for path in named if not (ROOT / path.rstrip(".")).exists()] == []


def test_every_module_and_name_in_backticks_exists():
    for dotted in re.findall(r"`((?:config|data|mmm|infer|decide|track|report)\.\w+)`", PAGE):
        room, name = dotted.split(".")
        place = ROOT / "mmx" / room
        texts = [place.with_suffix(".py")] if place.with_suffix(".py").is_file() else sorted(place.glob("*.py"))
        defined = any(re.search(rf"^(?:def|class) {name}\b", p.read_text(encoding="utf-8"), re.MULTILINE) for p in texts)
        assert defined or (place / f"{name}.py").is_file() or dotted == "config.spec", dotted


def test_every_room_stands_in_the_list_in_the_order_of_imports():
    package = Path(mmx.__file__).parent
    present = {p.name for p in package.iterdir() if (p / "__init__.py").is_file()}
    present |= {p.stem for p in package.glob("*.py")} - {"__init__"}
    assert set(rooms()) == present
    levels = [LEVEL[room] for room in rooms()]
    assert levels == sorted(levels)
    assert [room for side in HOUSE for room in side if room in present] == rooms()


def test_it_is_one_page():
    assert len(PAGE.splitlines()) < 120
