"""Unification of names: what is one name, what never is, and that unified names stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.data.ads.names import Unified, digits_of, unify

WORDS = st.sampled_from(
    ["summer", "Summer", "sumer", "retarget", "re-target", "LAL", "broad", "Broad!", "men", "women", "&", "and", "A"]
)
NAMES = st.builds(
    lambda words, mark, number: mark.join(words) + number,
    st.lists(WORDS, min_size=1, max_size=4),
    st.sampled_from([" ", "_", "  ", " | ", "-", ""]),
    st.sampled_from(["", " 1", " 2", "2", " 12", " 1 2"]),
)
TABLES = st.dictionaries(NAMES, st.integers(1, 500), min_size=1, max_size=30)


def counts(found: Unified) -> dict[str, int]:
    rows: dict[str, int] = {}
    for s in found.spellings:
        rows[s.name] = rows.get(s.name, 0) + s.rows
    return rows


@given(TABLES)
def test_unified_names_stay_as_they_are(rows: dict[str, int]) -> None:
    once = unify(rows)
    assert set(once.mapping) == set(rows) and sum(counts(once).values()) == sum(rows.values())
    twice = unify(counts(once))
    assert all(s.spelling == s.name for s in twice.spellings)


@given(TABLES, st.floats(0, 1))
def test_names_with_other_digits_are_never_one(rows: dict[str, int], rare: float) -> None:
    for spelling, name in unify(rows, rare=rare, shortest=4).mapping.items():
        assert digits_of(spelling) == digits_of(name)


@given(TABLES)
def test_the_order_of_rows_does_not_matter(rows: dict[str, int]) -> None:
    assert unify(rows) == unify(dict(reversed(rows.items())))


BASE = "Women Summer Invisible"


@pytest.mark.parametrize(
    ("spelling", "how"),
    [
        ("WOMEN_SUMMER_INVISIBLE", "spelling"),
        ("women  summer - invisible!", "spelling"),
        ("WomenSummer Invisible", "spelling"),
        ("Women Sumer Invisible", "slip"),
        ("Wo en Summer Invisible", "slip"),
        ("Women Summer Invissible", "slip"),
        ("-omen summer invisible", "slip"),
    ],
)
def test_one_name_in_other_spellings(spelling: str, how: str) -> None:
    found = unify({BASE: 400, spelling: 3})
    assert found.mapping[spelling] == BASE
    assert {s.spelling: s.how for s in found.spellings} == {BASE: "same", spelling: how}


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Summer Sale Broad", "Summer Sale Bread", "another letter"),
        ("Summer Sale Broad", "Summer Sale Broad B", "a word more"),
        ("Summer Sale A", "Summer Sale AB", "a short word differs"),
        ("Shoes", "Shoe", "too short to tell"),
        ("Summer Sale 1", "Summer Sale 2", None),
        ("Summer Sale 1 2", "Summer Sale 12", None),
        ("Men Summer Invisible", "Women Summer Invisible", None),
    ],
)
def test_names_that_stay_apart(one: str, other: str, why: str | None) -> None:
    found = unify({one: 400, other: 3})
    assert found.mapping == {one: one, other: other}
    assert [w for *_, w in found.apart] == ([] if why is None else [why])


def test_a_frequent_neighbour_is_a_name_of_its_own() -> None:
    assert unify({"Summer Sales Broad": 400, "Summer Sale Broad": 40}).names == ("Summer Sale Broad", "Summer Sales Broad")
    assert unify({"Summer Sales Broad": 400, "Summer Sale Broad": 40}, rare=0.2).names == ("Summer Sales Broad",)


def test_a_slip_of_two_names_is_ambiguous() -> None:
    found = unify({"Summer Sale Kids X": 400, "Summer Sale Kits X": 400, "Summer Sale Kis X": 2})
    assert found.ambiguous == (("Summer Sale Kis X", ("Summer Sale Kids X", "Summer Sale Kits X")),)
    assert found.mapping["Summer Sale Kis X"] == "Summer Sale Kis X"
    told = unify(
        {"Summer Sale Kids X": 400, "Summer Sale Kits X": 400, "Summer Sale Kis X": 2},
        {"Summer Sale Kis X": "Summer Sale Kids X"},
    )
    assert told.ambiguous == () and told.mapping["Summer Sale Kis X"] == "Summer Sale Kids X"


def test_a_slip_of_a_slip_is_left_alone() -> None:
    found = unify({"Retargeting Broad": 10_000, "Retargting Broad": 100, "Retargtng Broad": 1})
    assert found.mapping["Retargting Broad"] == "Retargeting Broad"
    assert found.mapping["Retargtng Broad"] == "Retargtng Broad"


def test_names_of_one_day_are_two() -> None:
    rows = {BASE: 400, "Women Sumer Invisible": 3}
    found = unify(rows, together=lambda slip, name: "Women Sumer Invisible" in slip and BASE in name)
    assert found.mapping == {name: name for name in rows}
    assert found.apart == (("Women Sumer Invisible", BASE, "both have rows on one day"),)
