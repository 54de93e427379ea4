import json

import numpy as np
import pandas as pd
import pytest

import mmx
from mmx.errors import OutputError
from mmx.worlds import WORLDS, read, simulate, write


@pytest.mark.parametrize("world, suffix", [*((w, ".csv") for w in sorted(WORLDS)), ("geo", ".parquet")])
def test_what_is_written_loads_as_it_was_simulated(tmp_path, world, suffix):
    simulated = simulate(world, seed=2)
    table, truth, config = write(simulated, tmp_path / "new" / f"{world}{suffix}")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in (table, truth, config))
    assert json.loads(truth.read_text(encoding="utf-8")) == simulated.truth
    panel = mmx.load(mmx.read_config(config))
    assert panel.names("channel") == tuple(simulated.truth["roas"])
    assert panel.currency == "EUR"
    spend = panel.data["spend"].sel(geo=list(simulated.scene.geos)).values
    assert (spend == simulated.scene.mechanism.spend).all()
    assert (panel.data["kpi"].sel(geo=list(simulated.scene.geos)).values == simulated.scene.kpi).all()


def test_existing_files_are_kept_unless_forced(tmp_path):
    out = tmp_path / "clean.csv"
    write(simulate("clean", seed=1, periods=60), out)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    out.unlink()
    with pytest.raises(OutputError, match=r"clean\.truth\.json.*clean\.yaml exists already.*--force"):
        write(simulate("clean", seed=2, periods=60), out)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {k: v for k, v in before.items() if k != "clean.csv"}
    write(simulate("clean", seed=2, periods=60), out, force=True)
    assert out.read_bytes() != before["clean.csv"]
    assert not list(tmp_path.glob(".*"))


def test_the_same_simulation_writes_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        write(simulate("confounded", seed=3), tmp_path / folder / "w.csv")
    for name in ("w.csv", "w.truth.json", "w.yaml"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"must end in \.csv or \.parquet; 'clean\.xlsx' does not"):
        write(simulate("clean", seed=1, periods=60), tmp_path / "clean.xlsx")


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OutputError, match="disk full"):
        write(simulate("clean", seed=1, periods=60), tmp_path / "clean.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_world_is_read_as_its_file_would_be():
    """All geos or the first ones, with settings and overrides on top of the world's."""
    made = simulate("geo", seed=4, periods=60)
    config, panel = read(made, settings={"name": "own"}, overrides=("sampler.draws=77",), geos=3)
    assert (config.name, config.sampler.draws) == ("own", 77)
    first = sorted(made.table["geo"].unique())[:3]
    assert list(panel.names("geo")) == first
    by_geo = made.table.set_index("geo")["revenue"]
    for g, name in enumerate(first):
        np.testing.assert_allclose(panel.array("kpi")[g], by_geo.loc[name])
    assert read(made)[1].data.sizes["geo"] == made.table["geo"].nunique()
