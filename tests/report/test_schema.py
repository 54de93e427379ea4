"""The published schema: it is that of the dataclasses, it says what every field is, and it refuses what is not one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import make_dataclass, replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mmx.decide.recommendation import FORMAT, Recommendation
from mmx.report import recommendation_schema
from mmx.report.recommendation_schema import FIELDS, FILE, schema, text

from .examples import CASES, Example

UNITS = {"money", "KPI money", "objective", "share", "ratio", "periods", "ROAS"}
PUBLISHED = json.loads(FILE.read_text(encoding="utf-8"))
CHECK = Draft202012Validator(PUBLISHED, format_checker=Draft202012Validator.FORMAT_CHECKER)


def content(case: Callable[[], Example]) -> Any:
    return json.loads(json.dumps(case().rec.as_mapping()))


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the schema that has properties."""
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for item in node.values():
            yield from objects(item)


def test_the_published_file_is_that_of_the_dataclasses() -> None:
    again = "run: python -m mmx.report.recommendation_schema > mmx/report/recommendation.schema.json"
    assert FILE.read_text(encoding="utf-8") == text(), again
    Draft202012Validator.check_schema(PUBLISHED)
    assert PUBLISHED["properties"]["format"]["const"] == FORMAT


def test_every_field_says_what_it_is_and_nothing_else_is_allowed() -> None:
    found = list(objects(PUBLISHED))
    assert len(found) == len(FIELDS)
    for one in found:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
        for name, field in one["properties"].items():
            assert re.fullmatch(r"[A-Z5-9].*\.", field["description"]), name
            assert field.get("x-unit", "ratio") in UNITS, name


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_examples_are_valid(case: Callable[[], Example]) -> None:
    assert [error.message for error in CHECK.iter_errors(content(case))] == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda c: c.pop("certificate"), []),
        (lambda c: c.update(more=1), []),
        (lambda c: c.update(format=1), ["format"]),
        (lambda c: c.update(probability_better=1.2), ["probability_better"]),
        (lambda c: c.update(start="5 January"), ["start"]),
        (lambda c: c["gain"].update(median=1.0), ["gain"]),
        (lambda c: c["channels"]["tv"].update(at_bounds=[0.1]), ["channels", "tv", "at_bounds"]),
        (lambda c: c["channels"]["tv"].update(net=None), ["channels", "tv", "net"]),
        (lambda c: c["flips"][0].update(kind="mood"), ["flips", 0, "kind"]),
        (lambda c: c["scenarios"][0]["spend"].update(tv="much"), ["scenarios", 0, "spend", "tv"]),
    ],
)
def test_what_is_wrong_is_refused_where_it_is(change: Callable[[Any], Any], place: list[Any]) -> None:
    broken = content(CASES[0])
    change(broken)
    assert place in [list(error.absolute_path) for error in CHECK.iter_errors(broken)]


def test_a_field_that_nobody_told_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    more = make_dataclass("Recommendation", [("mood", str)], bases=(Recommendation,), kw_only=True, frozen=True)
    monkeypatch.setattr(recommendation_schema, "Recommendation", more)
    with pytest.raises(ValueError, match="differ in mood"):
        schema()


def test_a_told_field_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    summary, told = FIELDS["Flip"]
    monkeypatch.setitem(FIELDS, "Flip", (summary, {**told, "mood": ("How it feels.", "")}))
    with pytest.raises(ValueError, match="differ in mood"):
        schema()
    monkeypatch.setitem(FIELDS, "Flip", (summary, told))
    monkeypatch.setitem(FIELDS, "Mood", ("How it feels.", {}))
    with pytest.raises(ValueError, match="FIELDS tells Mood"):
        schema()


def test_what_the_values_may_lack_may_be_null() -> None:
    rec = CASES[0]().rec
    empty = replace(rec, shadow_price=None, frontier=(), scenarios=(), tests=(), flips=(replace(rec.flips[0], factor=None),))
    CHECK.validate(json.loads(json.dumps(empty.as_mapping())))
