from pathlib import Path

import numpy as np
import pytest
import yaml

import mmx
from mmx.config import default_text, merge
from mmx.worlds import like, write
from mmx.worlds.standin import difference

CONFIGS = sorted(
    p
    for p in (Path(__file__).parents[2] / "configs").rglob("*.yaml")
    if p.name != "default.yaml" and "\ndata:" in p.read_text()
)


def columns_of(node):
    """Every column name in the data section of a configuration file, from its text alone."""
    data = node["data"]
    single = [data[k] for k in ("date", "geo", "group", "population", "target") if data.get(k)]
    media = [
        v
        for group in ("channels", "organic")
        for m in data.get(group, {}).values()
        for k, v in m.items()
        if k in ("spend", "exposure", "reach", "frequency")
    ]
    events = data.get("events")
    worth = data.get("unit_value")
    extra = [events["column"]] if isinstance(events, dict) else []
    extra += [worth] if isinstance(worth, str) else []
    return {*single, *media, *extra, *data.get("treatments", []), *data.get("controls", [])}


def small(**data):
    base = {"date": "d", "target": "y", "channels": {"a": {"spend": "a_s"}, "b": {"spend": "b_s", "exposure": "b_x"}}}
    return mmx.read_config({"name": "small", "data": base | data})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_committed_configs_have_a_stand_in_that_loads(path, tmp_path):
    config = mmx.read_config(path)
    simulated = like(config, seed=1)
    assert set(simulated.table.columns) == columns_of(yaml.safe_load(path.read_text(encoding="utf-8")))
    table, _, written = write(simulated, tmp_path / "standin.csv")
    for panel in (mmx.load(config, data=table), mmx.load(mmx.read_config(written))):
        assert panel.names("channel") == tuple(config.data.channels)
        assert int(panel.window.sum()) == 156
        assert panel.data.sizes["geo"] == (8 if config.data.geo else 1)
        assert panel.target_kind == config.data.target_kind


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_settings_of_a_stand_in_are_the_configuration(path):
    config = mmx.read_config(path)
    settings = like(config, seed=1).settings
    again = mmx.read_config(merge(settings, {"data": {"path": config.data.path}}))
    assert again == config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_configs_open_with_two_lines_of_comment(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.startswith("# ") for line in lines[:3]] == [True, True, False]


def test_difference_states_priors_anew():
    default = yaml.safe_load(default_text())
    told = {
        "data": {
            "date": "d",
            "target": "y",
            "channels": {"a": {"spend": "s", "priors": {"kind": "roas", "family": "normal", "mean": 1, "sd": 2}}},
        },
        "model": {"priors": {"kind": "coefficient", "family": "lognormal", "mu": 0.0, "sigma": 1.0}, "drift": False},
        "tracking": {"uri": None},
        "seed": 1,
    }
    config = mmx.read_config(told)
    stated = difference(default, config.as_mapping())
    assert mmx.read_config(stated) == config
    assert stated["tracking"] == {"uri": None}
    assert set(stated) == {"name", "data", "model", "tracking"}
    assert set(stated["model"]) == {"priors", "drift"}


def test_reproducible_and_different_by_seed():
    config = small(geo="g", population="p", organic={"o": {"exposure": "o_x"}}, treatments=["t"], controls=["c"])
    one, same, other = like(config, seed=1), like(config, seed=1), like(config, seed=2)
    assert one.table.equals(same.table)
    assert one.truth == same.truth
    assert not one.table.equals(other.table)
    assert one.table["p"].dtype.kind == "i"
    assert set(one.truth["contribution"]) == {"a", "b", "o", "t"}
    assert set(one.truth["roas"]) == {"a", "b"}
    assert all(v > 0 for v in one.truth["contribution"].values())


def test_window_is_covered_with_media_history():
    simulated = like(small(window={"start": "2019-01-02", "end": "2022-06-30"}), seed=1)
    dates = simulated.table["d"].dt.date.astype(str).tolist()
    assert "2019-01-02" in dates
    assert dates.index("2019-01-02") >= 13
    assert dates[-1] == "2022-06-29"
    assert simulated.truth["window"] == {"start": "2019-01-02", "end": "2022-06-29"}


@pytest.mark.parametrize(
    "window", [{"start": "2020-05-07"}, {"end": "2020-05-07"}, {"start": "2020-05-07", "end": "2020-12-31"}]
)
def test_partial_windows_have_156_periods_or_more(window):
    simulated = like(small(window=window), seed=1)
    steps = simulated.table["d"].diff().dropna().dt.days
    assert len(simulated.table) >= 156
    assert steps.eq(7).all()
    side, edge = next(iter(window.items()))
    assert np.datetime64(edge) in simulated.table["d"].to_numpy().astype("datetime64[D]")
    assert simulated.truth["window"][side] == edge


def test_dated_events_lie_inside_and_move_the_kpi():
    events = [
        {"name": "launch", "start": "2018-03-10", "end": "2018-03-20"},
        {"name": "strike", "start": "2020-11-01", "end": "2020-11-02"},
    ]
    simulated = like(small(events=events), seed=1)
    dates = simulated.table["d"].to_numpy().astype("datetime64[D]")
    assert dates[0] < np.datetime64("2018-03-10")
    assert dates[-1] > np.datetime64("2020-11-02")
    launch = simulated.scene.levers["event=launch"][0]
    touched = (dates + np.timedelta64(6, "D") >= np.datetime64("2018-03-10")) & (dates <= np.datetime64("2018-03-20"))
    np.testing.assert_array_equal(launch, touched)
    assert simulated.truth["levers"]["event=launch"] > 0


def test_event_column_has_its_levels_and_the_none_level():
    for none in (["-"], []):
        column = like(small(events={"column": "e", "none": none}), seed=1).table["e"]
        assert set(column) == {none[0] if none else "", "event_1", "event_2"}
        assert (column == "event_1").sum() >= 2


def test_index_has_spend_between_0_and_1_and_no_roas():
    config = mmx.read_config(
        {
            "data": {
                "date": "d",
                "target": "y",
                "target_kind": "index",
                "channels": {"a": {"spend": "a"}, "b": {"spend": "b"}},
            },
            "model": {"priors": {"kind": "contribution", "family": "lognormal", "median": 0.2, "q90": 0.5}},
        }
    )
    simulated = like(config, seed=1)
    assert simulated.table[["a", "b"]].max().tolist() == [1.0, 1.0]
    assert simulated.truth["roas"] == simulated.truth["mroas"] == {}
    assert 0.25 < sum(simulated.truth["contribution_share"].values()) < 1 / 3
    assert 2000 < simulated.table["y"].mean() < 10_000


@pytest.mark.parametrize("worth", [0.02, 5.0, 40_000.0, "value"])
def test_counts_are_whole_and_worth_their_unit_value(worth):
    simulated = like(small(target_kind="count", unit_value=worth), seed=1)
    table = simulated.table
    assert (table["y"] == table["y"].round()).all()
    assert table["y"].mean() > 100
    money = (table["y"] * (table["value"] if worth == "value" else worth)).sum()
    assert money == pytest.approx(simulated.truth["kpi"], rel=0.02)


def test_exposure_goes_with_spend():
    table = like(small(), seed=1).table
    assert ((table["b_x"] > 0) == (table["b_s"] > 0)).all()
    assert (table["b_x"] == table["b_x"].round()).all()
    assert 0.9 < np.corrcoef(table["b_x"], table["b_s"])[0, 1] < 1


def test_families_of_the_configuration_are_followed():
    config = mmx.read_config(
        {
            "data": {
                "date": "d",
                "target": "y",
                "channels": {"a": {"spend": "a", "saturation": "logistic"}, "b": {"spend": "b"}},
            },
            "model": {"adstock": "delayed", "adstock_window": 6},
        }
    )
    parameters = like(config, seed=1).truth["parameters"]
    assert parameters["a"]["saturation"] == "logistic"
    assert parameters["b"]["saturation"] == "hill"
    assert all(p["adstock"] == "delayed" and p["window"] == 6 and p["delay"] <= 5 for p in parameters.values())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_long_layout_loads(tmp_path, suffix):
    config = small(geo="g", controls=["c"], events={"column": "e", "none": ["no"]}, long={"variable": "what", "value": "is"})
    simulated = like(config, seed=1)
    assert list(simulated.table.columns) == ["d", "g", "what", "is"]
    assert set(simulated.table["what"]) == {"y", "a_s", "b_s", "b_x", "c", "e"}
    _, _, written = write(simulated, tmp_path / f"long{suffix}")
    panel = mmx.load(mmx.read_config(written))
    np.testing.assert_allclose(panel.data["kpi"].sel(geo=list(simulated.scene.geos)).values, simulated.scene.kpi)
    assert panel.names("event_name") == ("event_1", "event_2")
