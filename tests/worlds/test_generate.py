import functools
import json

import numpy as np
import pytest

from mmx.config import read_config
from mmx.errors import ConfigError
from mmx.worlds import WORLDS, simulate
from mmx.worlds.baselines import smooth

NAMED = sorted(WORLDS)


@functools.cache
def known(world, seed):
    return simulate(world, seed=seed)


@pytest.mark.parametrize("world", NAMED)
def test_the_same_seed_gives_the_same_bytes(world):
    first, again = simulate(world, seed=1), known(world, 1)
    assert first.table.to_csv() == again.table.to_csv()
    assert json.dumps(first.truth) == json.dumps(again.truth)


@pytest.mark.parametrize("world", NAMED)
def test_another_seed_gives_other_data_and_other_parameters(world):
    one, two = known(world, 1), known(world, 2)
    for column in one.table.columns[1:]:
        if column != "geo":
            assert not one.table[column].equals(two.table[column])
    for name in one.truth["parameters"]:
        assert one.truth["parameters"][name]["alpha"] != two.truth["parameters"][name]["alpha"]
        assert one.truth["roas"][name] != two.truth["roas"][name] or one.truth["roas"][name] == 0


@pytest.mark.parametrize("world", NAMED)
def test_tables_are_what_the_settings_say(world):
    simulated = known(world, 1)
    config, table = read_config(simulated.settings), simulated.table
    named = {config.data.date, config.data.target, *config.data.controls, *(c.spend for c in config.data.channels.values())}
    named |= {c for c in (config.data.geo, config.data.population) if c}
    assert set(table.columns) == named
    assert not table.isna().any().any()
    assert (table["revenue"] > 0).all()
    for channel in config.data.channels.values():
        national = table.groupby("week")[channel.spend].sum()
        assert (table[channel.spend] >= 0).all()
        assert (national > 0).sum() >= 30
        assert national.tail(13).sum() > 0
    for name, spec in config.spec.channels.items():
        true = simulated.truth["parameters"][name]["adstock"]
        assert spec.adstock == {"geometric": "two_stage"}.get(true, true)  # The default has the geometric one as a case.
        assert spec.saturation == simulated.truth["parameters"][name]["saturation"]


@pytest.mark.parametrize("world, seeds", [("clean", 20), ("confounded", 5), ("zero", 5), ("geo", 2)])
def test_media_are_a_quarter_to_a_third_of_the_kpi(world, seeds):
    for seed in range(seeds):
        simulated = known(world, seed)
        assert 0.25 <= simulated.truth["media_share"] <= 1 / 3
        assert 0.25 <= sum(simulated.truth["contribution"].values()) / simulated.table["revenue"].sum() <= 1 / 3


def test_true_roas_are_lognormal_with_the_stated_median_and_spread():
    logs = np.log([r for seed in range(20) for r in known("clean", seed).truth["roas"].values()])
    error = 0.6 / np.sqrt(len(logs))
    assert abs(logs.mean() - np.log(1.2)) < 4 * error
    assert abs(logs.std() - 0.6) < 4 * error / np.sqrt(2)


def test_a_channel_without_effect_has_exactly_none():
    truth = known("zero", 3).truth
    assert truth["roas"]["video"] == truth["mroas"]["video"] == truth["contribution"]["video"] == 0.0
    assert truth["best_plan"]["video"]["multiplier"] == pytest.approx(0.5)
    assert all(truth["roas"][n] > 0 for n in truth["roas"] if n != "video")


def test_demand_drives_spend_and_kpi_and_the_index_shows_it():
    confounded = [known("confounded", s) for s in range(5)]
    clean = [known("clean", s) for s in range(5)]

    def correlation(column, worlds):
        index = [w.table["demand_index"] for w in confounded]
        return np.mean([np.corrcoef(i, np.log1p(w.table[column]))[0, 1] for i, w in zip(index, worlds, strict=True)])

    assert correlation("search_spend", confounded) > correlation("search_spend", clean) + 0.3
    assert correlation("revenue", confounded) > correlation("revenue", clean) + 0.3
    assert correlation("tv_spend", confounded) == correlation("tv_spend", clean)


def effects_by_least_squares(simulated, *controls):
    """Estimated over true effect of each channel, the response curves given."""
    years = np.arange(len(simulated.table)) * 7 / 365.25
    media = [simulated.scene.mechanism.effect(m)[0] for m in range(6)]
    season = [f(2 * np.pi * k * years) for k in (1, 2) for f in (np.sin, np.cos)]
    columns = [*media, np.ones_like(years), years, *season, *(simulated.table[c] for c in controls)]
    return np.linalg.lstsq(np.array(columns).T, simulated.table["revenue"].to_numpy(), rcond=None)[0][:6]


def test_demand_confounds_the_channels_that_follow_it_and_only_those():
    clean = np.median([effects_by_least_squares(known("clean", s)) for s in range(10)], axis=0)
    naive = np.median([effects_by_least_squares(known("confounded", s)) for s in range(10)], axis=0)
    told = np.median([effects_by_least_squares(known("confounded", s), "demand_index") for s in range(10)], axis=0)
    led = [1, 2, 3]
    np.testing.assert_allclose(clean, 1, atol=0.25)
    assert naive[led].mean() > 1.4
    assert abs(told[led].mean() - 1) < 0.5 * abs(naive[led].mean() - 1)


def test_search_is_always_on_and_flights_have_pauses():
    table = known("clean", 1).table
    assert (table["search_spend"] > 0).all()
    for column in ("tv_spend", "social_spend", "video_spend", "radio_spend"):
        assert 0.2 < (table[column] == 0).mean() < 0.8


def test_collinear_spend_is_collinear():
    def lowest(world):
        spend = np.log(known(world, 1).table.filter(like="_spend") + 1).to_numpy()
        return np.corrcoef(spend.T)[np.triu_indices(6, 1)].min()

    assert lowest("collinear") > 0.5 > lowest("clean")


def test_geos_have_one_population_each_and_a_full_calendar():
    table = known("geo", 1).table
    assert table.groupby("geo")["population"].nunique().eq(1).all()
    assert table.groupby("geo")["week"].nunique().eq(156).all()
    assert table["geo"].nunique() == 20


def test_an_unknown_world_offers_the_nearest():
    with pytest.raises(ConfigError, match=r"no world 'clea'\. Did you mean 'clean'"):
        simulate("clea", seed=1)
    with pytest.raises(ConfigError, match="There are clean, geo"):
        simulate("?", seed=1)


def test_too_few_periods_are_refused():
    with pytest.raises(ConfigError, match=r"at least 30 weeks.*12 were asked for"):
        simulate("clean", seed=1, periods=12)


def test_drift_has_the_stated_spread_and_length():
    years = np.arange(4000) * 7 / 365.25
    drift = smooth(np.random.default_rng(1), years, 0.5)
    lag = round(0.5 * 365.25 / 7)
    # about 77 years are some 60 independent stretches, so that the standard deviation is known to about a tenth
    assert drift.std() == pytest.approx(1, abs=0.3)
    assert (drift[lag:] * drift[:-lag]).mean() / drift.var() == pytest.approx(np.exp(-0.5), abs=0.15)
