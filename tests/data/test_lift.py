"""Lift tests against the panel: what is refused, what is noted, and what becomes of good ones."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from lift_tables import GOOD, csv_of, refusal, shop

import mmx
from mmx.data.lift import cells_of, delta_of, follows_spend, read_lift_tests
from mmx.errors import ConfigError
from mmx.spec import LiftTest

DARK = {"start": "2021-05-03", "end": "2021-05-23"}
OFF = {"tv_cost": dict.fromkeys(range(17, 20), 0.0)}  # 2021-05-03 to 2021-05-17 begin rows 17 to 19
GEO_OFF = {"tv_cost": dict.fromkeys(range(120, 240), 0.0) | {125: 0.0}}
INDEX = {
    "data": {"target_kind": "index"},
    "model": {"priors": {"kind": "contribution", "family": "lognormal", "mu": -1.5, "sigma": 0.5}},
}
BAD: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "unknown channel": ({"channel": "tvv"}, {}, ("{channel}", "no channel 'tvv'", "Did you mean 'tv'?")),
    "organic medium": ({"channel": "mail"}, {}, ("{channel}", "an organic medium", "Take this test out")),
    "dropped channel": (
        {},
        {"layers": [{"data": {"policies": {"silent_channel": "drop"}}}], "cells": {"tv_cost": dict.fromkeys(range(120), 0.0)}},
        ("{channel}", "silent_channel: drop has left 'tv' out"),
    ),
    "geos of a nation": ({"geos": "Aa;Bb"}, {}, ("{geos}", "names Aa, Bb, and the table is national", "Leave geos empty")),
    "unknown geo": ({"geos": "Aa; bB"}, {"geo": True}, ("{geos}", "no geo 'bB'", "Did you mean 'Bb'?")),
    "start outside": ({"start": "2020-12-28"}, {}, ("{start}", "2020-12-28 lies outside the data, 2021-01-04 to 2023-04-23")),
    "end outside": ({"end": "2023-04-24"}, {}, ("{end}", "2023-04-24 lies outside the data")),
    "no overlap with the window": (
        {},
        {"layers": [{"data": {"window": {"start": "2021-06-07"}}}]},
        ("{start}", "does not lie in the KPI window, 2021-06-07 to 2023-04-23", "data.window"),
    ),
    "partly outside, of shares": (
        {},
        {"layers": [{"data": {"window": {"start": "2021-05-17"}}, "model": {"likelihood": "lognormal"}}]},
        ("{start}", "of which a multiplicative effect is a share"),
    ),
    "ROAS of an index": ({"metric": "roas"}, {"layers": [INDEX]}, ("{metric}", "the KPI is an index", "metric: kpi")),
    "more than was spent": (
        {"delta_spend": 1e6},
        {},
        ("{delta_spend}", "the test added 1e+06 money, and only", "negative number"),
    ),
    "no spend": (DARK, {"cells": OFF}, ("{delta_spend}", "it is empty, and 'tv' spent nothing", "as a negative number")),
    "no spend added": (DARK | {"delta_spend": 5}, {"cells": OFF}, ("{delta_spend}", "the test added 5 money, and only 0 were")),
    "spend without exposure": (
        {"channel": "radio", "start": "2021-01-11", "end": "2021-01-11"},
        {"cells": {"radio_spots": {1: 0}, "radio_cost": {1: 20.0}}},
        ("{delta_spend}", "'radio' has spend and no exposure"),
    ),
    "dark where it never spends": (
        DARK | {"geos": "Bb", "delta_spend": -400},
        {"geo": True, "cells": GEO_OFF},
        ("{delta_spend}", "'tv' spends nothing in these geos outside the test"),
    ),
    "prior of another kind": (
        {},
        {"layers": [{"model": {"lift_tests_as": "prior"}, "data": {"channels": {"tv": {"priors": INDEX["model"]["priors"]}}}}]},
        ("{channel}", "that of 'tv' is of kind contribution", "use lift_tests_as: likelihood"),
    ),
}


@pytest.mark.parametrize("inline", [False, True], ids=["file", "rows"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_test_is_refused_with_place_and_remedy(tmp_path: Path, name: str, inline: bool) -> None:
    row, options, says = BAD[name]
    options = dict(options)
    message = refusal(tmp_path, [GOOD | row], *options.pop("layers", ()), inline=inline, **options)
    for text in says:
        place = "model.lift_tests.0.{}" if inline else "row 2, column '{}'"
        wanted = place.format(text.strip("{}")) if text.startswith("{") else text
        assert wanted in message, f"{wanted!r} is missing from:\n{message}"


def test_every_problem_of_every_row_is_listed(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"channel": "tvv"}, GOOD | {"test": "b", "geos": "Aa", "channel": "radioo"}, GOOD]
    message = refusal(tmp_path, rows)
    assert "4 problems" in message
    for place in ("row 3, column 'channel'", "row 4, column 'channel'", "row 4, column 'geos'", "row 5, column 'test'"):
        assert place in message
    assert "the test 'more tv' of 'tv' stands above already (row 2, column 'test')" in message


def test_one_test_of_two_channels_is_no_duplicate(tmp_path: Path) -> None:
    assert refusal(tmp_path, [GOOD, GOOD | {"channel": "radio"}]) == ""


def test_a_missing_file_is_refused_by_its_key(tmp_path: Path) -> None:
    config, panel = shop(tmp_path, "nowhere.csv")
    with pytest.raises(mmx.errors.DataError, match=r"table of lift tests nowhere.csv was not found") as caught:
        mmx.with_lift_tests(config, panel)
    assert "model.lift_tests: there is no such file" in str(caught.value) and "--data" not in str(caught.value)


def test_the_file_is_found_beside_the_configuration_and_read_into_it(tmp_path: Path) -> None:
    (tmp_path / "tests.csv").write_text(
        csv_of(GOOD | {"se": "", "low": 400, "high": 1400, "mass": 0.9, "value": ""}), encoding="utf-8"
    )
    config, panel = shop(tmp_path, "tests.csv")
    settings = config.as_mapping()
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    config = mmx.read_config(tmp_path / "shop.yaml")
    with pytest.raises(ConfigError, match="with_lift_tests") as caught:
        _ = config.spec
    assert "has not been read" in str(caught.value)
    found = read_lift_tests(config, panel)
    (test,) = found.config.spec.lift_tests
    assert (test.value, test.start) == (900.0, dt.date(2021, 5, 3))
    assert test.se == pytest.approx(1000 / (2 * 1.6448536269514722), rel=1e-12)
    assert found.source == str(tmp_path / "tests.csv")
    assert found.sha256 == hashlib.sha256((tmp_path / "tests.csv").read_bytes()).hexdigest()
    (tmp_path / "tests.csv").unlink()
    again = mmx.read_config(yaml.safe_load(yaml.safe_dump(found.config.as_mapping())))
    assert again.spec == found.config.spec and again == found.config
    assert mmx.with_lift_tests(again, panel) == again


def test_a_file_and_rows_give_the_same_specification(tmp_path: Path) -> None:
    row = GOOD | {"geos": "Cc;Aa", "delta_spend": -12.5, "inflation": 1.5}
    (tmp_path / "tests.csv").write_text(csv_of(row), encoding="utf-8")
    specs = []
    for tests in (str(tmp_path / "tests.csv"), [row], [row | {"geos": ["Cc", "Aa"]}]):
        config, panel = shop(tmp_path, tests, geo=True)
        specs.append(mmx.with_lift_tests(config, panel).spec)
    assert specs[0] == specs[1] == specs[2]
    assert specs[0].lift_tests[0].geos == ("Cc", "Aa")


def test_without_tests_nothing_changes(tmp_path: Path) -> None:
    config, panel = shop(tmp_path, [])
    found = read_lift_tests(config, panel)
    assert found.config == config and found.notes == () and found.source is None and config.spec.lift_tests == ()


NOTED = {
    "inside a period": (
        {"start": "2021-05-05"},
        {},
        "begins or ends inside a period: 4 whole periods, 2021-05-03 to 2021-05-30, in place of its days",
    ),
    "after the window": (
        {},
        {"data": {"window": {"end": "2021-05-17"}, "events": None}, "checks": {"periods_per_parameter": 0.1}},
        "does not use it",
    ),
}


@pytest.mark.parametrize("case", NOTED)
def test_what_a_reader_should_know_is_noted(tmp_path: Path, case: str) -> None:
    row, layer, said = NOTED[case]
    config, panel = shop(tmp_path, [GOOD | row], layer)
    (note,) = read_lift_tests(config, panel).notes
    assert note.startswith("Lift test 'more tv' of tv") and said in note


def test_overlapping_tests_of_one_channel_are_noted(tmp_path: Path) -> None:
    other = GOOD | {"test": "again", "start": "2021-05-30", "end": "2021-06-06"}
    config, panel = shop(tmp_path, [GOOD, other, GOOD | {"channel": "radio"}])
    (note,) = read_lift_tests(config, panel).notes[1:]
    assert "'more tv' and 'again' of tv overlap" in note


def test_cells_are_all_periods_that_the_days_touch(tmp_path: Path) -> None:
    config, panel = shop(tmp_path, [GOOD | {"geos": "Cc", "start": "2021-05-09", "end": "2021-05-10"}], geo=True)
    (test,) = config.spec.lift_tests
    cells = cells_of(test, panel)
    assert cells.shape == (120, 3)
    assert np.argwhere(cells).tolist() == [[17, 2], [18, 2]]
    spend = panel.array("spend")[2, 17:19, 0].sum()
    assert delta_of(test, panel) == spend
    assert delta_of(LiftTest.model_validate(test.model_dump() | {"delta_spend": -3.0}), panel) == -3.0


@pytest.mark.parametrize(
    ("delta", "total", "follows"), [(5.0, 5.0, True), (-5.0, 5.0, True), (-5.1, 5.0, False), (-5.0, 0.0, False)]
)
def test_what_was_taken_away_follows_what_is_left_unless_that_is_less(delta: float, total: float, follows: bool) -> None:
    assert follows_spend(delta, total) is follows
