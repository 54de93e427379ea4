"""Variants of the worlds: truth stays exact where curves and baselines are not those of the model."""

import functools
import json
from collections import Counter

import numpy as np
import pytest
import yaml

from mmx.config import read_config
from mmx.errors import ConfigError
from mmx.worlds import VARIANTS, WORLDS, simulate
from mmx.worlds.baselines import baseline
from mmx.worlds.registry import Baseline, Irregular
from mmx.worlds.variants import MEDIANS

from ..command_line import mmx

NAMED = sorted(WORLDS)


@functools.cache
def known(world, seed, variant="outside"):
    return simulate(world, seed=seed, variant=variant)


def lag_weights(p, periods):
    """Weights of lags from the truth's numbers alone, in loops."""
    kind, lags = p["adstock"], range(p.get("window", periods))
    if kind == "geometric":
        return np.array([(1 - p["alpha"]) * p["alpha"] ** k for k in range(periods)])
    if kind == "two_speed":
        parts = ((1 - p["slow"], p["alpha"]), (p["slow"], p["alpha_slow"]))
        return np.array([sum(w * (1 - a) * a**k for w, a in parts) for k in range(periods)])
    raw = {
        "delayed": lambda k: p["alpha"] ** (k - p["delay"]) ** 2,
        "binomial": lambda k: (1 - k / p["window"]) ** (1 / p["alpha"] - 1),
        "weibull": lambda k: np.exp(-((k / p["spread"]) ** p["peak"])) - np.exp(-(((k + 1) / p["spread"]) ** p["peak"])),
        "weibull_cdf": lambda k: np.exp(-((k / p["spread"]) ** p["peak"])),
    }[kind]
    weights = np.array([raw(k) for k in lags])
    return weights / weights.sum()


def saturated(p, x):
    kind, u = p["saturation"], x / p.get("half_saturation", 1.0)
    if kind == "gompertz":
        low = np.exp(-p["foot"])
        return (np.exp(-p["foot"] * np.exp(-p["steepness"] * u)) - low) / (1 - low)
    if kind == "s_logistic":
        low = 1 / (1 + np.exp(p["foot"]))
        return (1 / (1 + np.exp(p["foot"] - p["steepness"] * u)) - low) / (1 - low)
    return {
        "hill": lambda: u ** p["slope"] / (1 + u ** p["slope"]),
        "logistic": lambda: 2 / (1 + np.exp(-p["lam"] * x)) - 1,
        "exponential": lambda: 1 - 0.5**u,
        "weibull": lambda: 1 - 0.5 ** (u ** p["slope"]),
        "arctan": lambda: np.arctan(u) / (np.pi / 2),
        "log": lambda: np.log(1 + u),
        "root": lambda: x ** p["power"],
    }[kind]()


@pytest.mark.parametrize("world, seed", [*((w, 3) for w in NAMED), *(("clean", s) for s in range(5, 12))])
def test_truth_is_what_an_independent_simulation_finds(world, seed):
    simulated = known(world, seed)
    truth, geos = simulated.truth, len(simulated.scene.geos)
    for name in truth["roas"]:
        p = truth["parameters"][name]
        spend = simulated.table[f"{name}_spend"].to_numpy().reshape(geos, -1)
        heads = simulated.table.population.to_numpy().reshape(spend.shape)[:, :1] if geos > 1 else 1.0

        def money(spend, p=p, heads=heads):
            weights = lag_weights(p, spend.shape[1])
            carried = np.stack([np.convolve(row, weights)[: len(row)] for row in spend / heads / p["scale"]])
            return (heads * np.array(p["beta"])[:, None] * saturated(p, carried)).sum()

        assert truth["contribution"][name] == pytest.approx(money(spend), rel=1e-9, abs=1e-6)
        assert truth["roas"][name] == pytest.approx(money(spend) / spend.sum(), rel=1e-9, abs=1e-12)
        marginal = (money(1.01 * spend) - money(spend)) / (0.01 * spend.sum())
        assert truth["mroas"][name] == pytest.approx(marginal, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("world", NAMED)
@pytest.mark.parametrize("variant", ["inside", "outside"])
def test_contributions_are_a_quarter_to_a_third_and_the_rest_is_positive(world, variant):
    simulated = known(world, 4, variant)
    mechanism, mean = simulated.scene.mechanism, simulated.scene.mean
    rest = mean - sum(mechanism.effect(m) for m in range(6))
    assert (rest > 0).all()
    assert (simulated.scene.kpi > 0).all()
    assert sum(simulated.truth["contribution"].values()) + rest.sum() == pytest.approx(simulated.truth["kpi"])
    assert 0.25 <= simulated.truth["media_share"] <= 1 / 3


@pytest.mark.parametrize("world", NAMED)
def test_the_same_seed_gives_the_same_bytes(world):
    again = simulate(world, seed=3, variant="outside")
    assert again.table.to_csv() == known(world, 3).table.to_csv()
    assert json.dumps(again.truth) == json.dumps(known(world, 3).truth)


def test_departures_say_what_the_default_model_does_not_have():
    outside = known("clean", 3).truth
    assert outside["departures"] == ["carryover", "saturation", "baseline", "noise"]
    assert outside["variant"] == "outside"
    assert known("clean", 3, "inside").truth["departures"] == []
    assert known("delayed", 3, "inside").truth["departures"] == ["carryover"]
    assert known("heavy", 3, "inside").truth["departures"] == ["noise"]
    assert "variant" not in known("clean", 3, "named").truth


@pytest.mark.parametrize("variant", ["inside", "outside"])
def test_settings_leave_the_curves_to_the_defaults(variant):
    for world in ("delayed", "clean"):
        config = read_config(known(world, 3, variant).settings)
        assert {(c.adstock, c.saturation) for c in config.spec.channels.values()} == {("two_stage", "hill")}
        assert yaml.safe_load(yaml.safe_dump(known(world, 3, variant).settings)) == known(world, 3, variant).settings


def test_the_medians_of_roas_take_turns():
    found = {m: [] for m in MEDIANS}
    for seed in range(18):
        truth = known("clean", seed).truth
        found[MEDIANS[seed % 3]] += list(truth["roas"].values())
    for median, roas in found.items():
        assert abs(np.log(roas).mean() - np.log(median)) < 4 * 0.6 / np.sqrt(len(roas))


def test_every_foreign_family_is_drawn_and_no_default_one():
    curves = [c for seed in range(18) for c in known("clean", seed).scene.mechanism.curves]
    assert set(Counter(c.adstock for c in curves)) == {"weibull", "weibull_cdf", "two_speed", "binomial", "delayed"}
    assert "hill" not in {c.saturation for c in curves}
    assert len({c.saturation for c in curves}) == 8
    late = [c.weights(13).argmax() for seed in range(6) for c in known("delayed", seed).scene.mechanism.curves]
    assert set(late) <= {1, 2, 3}
    search, tv = ([known("clean", s).scene.mechanism.curves[i].weights(60) @ np.arange(60) for s in range(18)] for i in (1, 0))
    assert np.median(search) < np.median(tv) < 4


def lines(seed, irregular, geos=1, periods=260):
    years = np.arange(periods) * 7 / 365.25
    weeks = (years % 1) * 365.25 / 7
    return baseline(seed, Baseline(irregular=irregular), years, weeks, geos), years


def test_an_irregular_baseline_is_not_a_line_with_two_fourier_pairs():
    def left_over(rows, years):
        pairs = [f(2 * np.pi * k * years) for k in (1, 2) for f in (np.sin, np.cos)]
        columns = np.array([np.ones_like(years), years, *pairs]).T
        return (rows - columns @ np.linalg.lstsq(columns, rows, rcond=None)[0]).std()

    rough = [left_over(rows[0], years) for rows, years in (lines(s, Irregular()) for s in range(12))]
    regular = [left_over(rows[0], years) for rows, years in (lines(s, None) for s in range(12))]
    assert np.median(rough) > 1.5 * np.median(regular)
    assert min(rough) > 0.02


def test_geos_differ_in_an_irregular_baseline_only():
    assert np.ptp(lines(1, None, geos=3)[0], axis=0).max() == 0
    assert np.ptp(lines(1, Irregular(), geos=3)[0], axis=0).max() > 0.02


def test_noise_is_correlated_as_stated():
    def lag_one(variant, seed):
        scene = known("clean", seed, variant).scene
        noise = (scene.kpi - scene.mean)[0]
        return np.corrcoef(noise[1:], noise[:-1])[0, 1]

    assert np.mean([lag_one("inside", s) for s in range(9)]) == pytest.approx(0, abs=0.1)
    assert np.mean([lag_one("outside", s) for s in range(18)]) == pytest.approx(0.25, abs=0.12)


def test_an_unknown_variant_offers_the_nearest():
    with pytest.raises(ConfigError, match=r"no variant 'outsid'\. Did you mean 'outside'"):
        simulate("clean", seed=1, variant="outsid")
    with pytest.raises(ConfigError, match="There are named, inside, outside"):
        simulate("clean", seed=1, variant="?")
    assert list(VARIANTS) == ["named", "inside", "outside"]


def test_the_command_line_writes_a_variant(tmp_path):
    assert mmx("simulate", "clean", "--variant", "outside", "--seed", "3", "--out", tmp_path / "w.csv").code == 0
    assert json.loads((tmp_path / "w.truth.json").read_text(encoding="utf-8")) == known("clean", 3).truth
    for arguments, said in (
        (("clean", "--variant", "outsid"), "'outside'"),
        (("--like", "shop", "--variant", "inside"), "--like"),
    ):
        refused = mmx("simulate", *arguments, "--out", tmp_path / "other.csv")
        assert refused.code == 2 and said in refused.said
    assert not (tmp_path / "other.csv").exists()
