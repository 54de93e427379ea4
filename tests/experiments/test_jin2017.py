"""The study of Jin et al. (2017): data and priors are the paper's, and at smoke size it runs and resumes."""

import json
import math
import sys

import numpy as np
import pytest
import yaml
from scipy import stats

from mmx.mmm.inputs import prepare
from mmx.mmm.resolve import resolve

from .test_scripts import SCRIPTS, script

STUDY = SCRIPTS / "jin2017"
SETTINGS = yaml.safe_load((STUDY / "config.yaml").read_text(encoding="utf-8"))
WORLD = SETTINGS["world"]
CELL = SETTINGS["cells"]["two_years"]


@pytest.fixture(scope="module")
def study():
    """The study's script; the modules beside it are found as when it is launched."""
    sys.path.insert(0, str(STUDY))
    try:
        yield script("jin2017/run")
    finally:
        sys.path.remove(str(STUDY))


@pytest.fixture(scope="module")
def read(study):
    """Specification and panel of the first data set."""
    table = study.data_set(SETTINGS, CELL, 0)
    return study.jin_model.read(table, study.configuration(SETTINGS, CELL, table))


def test_sales_are_the_sum_that_the_paper_states(study):
    quiet = study.jin_world.simulate(WORLD | {"noise": 0.0}, years=2, media_noise=1.0, history=True, seed=[1, 2])
    assert len(quiet) == 104 + 12 and quiet["sales"].isna().sum() == 12
    assert quiet[list(WORLD["media"])].min().eq(0).all() and quiet[list(WORLD["media"])].max().eq(1).all()
    for t in (12, 50, 115):
        expected = 4 - 0.5 * quiet["price"][t]
        for name, m in WORLD["media"].items():
            weights = [m["alpha"] ** ((lag - m["theta"]) ** 2) for lag in range(13)]
            exposure = sum(w * quiet[name][t - lag] for lag, w in enumerate(weights)) / sum(weights)
            expected += m["beta"] / (1 + (exposure / m["half_saturation"]) ** -m["slope"])
        assert quiet["sales"][t] == pytest.approx(expected, rel=1e-12)
    cold = study.jin_world.simulate(WORLD, years=2, media_noise=1.0, history=False, seed=[1, 2])
    assert cold[list(WORLD["media"])][:12].eq(0).all(axis=None) and cold["media_1"][12:].min() == 0
    noisy = study.jin_world.simulate(WORLD, years=60, media_noise=1.0, history=True, seed=[1, 2])
    same = study.jin_world.simulate(WORLD | {"noise": 0.0}, years=60, media_noise=1.0, history=True, seed=[1, 2])
    assert (noisy["sales"] - same["sales"]).std() == pytest.approx(0.05, rel=0.05)
    assert noisy["price"].std() == pytest.approx(0.2, rel=0.1) and noisy["price"].autocorr() == pytest.approx(0.7, abs=0.05)


def test_priors_are_the_papers_in_its_own_units(study, read):
    spec, panel = read
    resolved = resolve(spec, panel)
    constants, shapes = resolved.constants, resolved.model.shapes
    _, inputs, design = prepare(resolved, panel)
    assert constants.kpi_center == 0 and constants.kind == ("coefficient",) * 3
    sd = design.prior_sd * constants.kpi_scale
    assert sd[design.groups["intercept"]] == pytest.approx(5, rel=1e-12)
    assert sd[design.groups["controls"]] / constants.column_sd == pytest.approx(1, rel=1e-12)
    assert design.z.shape[2] == 2
    assert (shapes.alpha.a, shapes.alpha.b, shapes.theta.a, shapes.theta.b) == (3, 3, 1, 1)
    laws = {"half_saturation": stats.beta(2, 2), "slope": stats.gamma(3), "effect": stats.halfnorm()}
    units = {"half_saturation": constants.media_scale, "slope": (1, 1, 1), "effect": (constants.kpi_scale,) * 3}
    for name, law in laws.items():
        mu, sigma = inputs["prior"][name]
        for z, share in ((-1, 0.1), (1, 0.9)):
            quantile = np.exp(mu + z * 1.2815515655446004 * sigma) * np.array(units[name])
            assert law.cdf(quantile) == pytest.approx(share, rel=1e-9), name


def test_weighted_draws_have_the_papers_priors(study):
    """Draws of the priors of the fit, weighted, have the means and quantiles of the paper's."""
    model, rng, count = study.jin_model, np.random.default_rng(1), 200_000
    values = {n: rng.lognormal(*model.MATCHED[n], (count, 1)) for n in model.PAPER}
    values["noise"] = np.abs(rng.normal(0, 0.1, (count, 1)))
    log_weights = model.log_ratio(values, 0.1)
    noise = values["noise"][:, 0]
    of_noise = np.log(2 * noise) + stats.invgamma(0.05, scale=0.0005).logpdf(noise**2) - stats.halfnorm(scale=0.1).logpdf(noise)
    weights = np.exp(log_weights - of_noise)
    weights /= weights.sum()
    assert 1 / (weights**2).sum() > 0.3 * count
    for name, law in model.PAPER.items():
        found = model.estimates(values[name], weights)
        expected = {"mean": law.mean(), "median": law.median(), "q05": law.ppf(0.05), "q95": law.ppf(0.95)}
        for stat, value in expected.items():
            assert found[stat][0] == pytest.approx(value, abs=0.02 * law.std()), (name, stat)


def test_weights_count_draws(study):
    rng = np.random.default_rng(2)
    values, times = rng.standard_normal((400, 2)), rng.integers(0, 4, 400)
    once = study.jin_model.estimates(values, times / times.sum())
    often = np.repeat(values, times, axis=0)
    assert once["mean"] == pytest.approx(often.mean(axis=0), abs=1e-4)
    for stat, share in (("median", 0.5), ("q05", 0.05), ("q95", 0.95)):
        assert once[stat] == pytest.approx(np.quantile(often, share, axis=0), abs=0.05)


@pytest.fixture(scope="module")
def fit(study):
    """A short fit of the first data set."""
    return study.fitted(SETTINGS | SETTINGS["smoke"], CELL, 0)


def test_draws_in_the_papers_units_give_the_same_sales(study, fit):
    """Media by the study's own curves equal those of the fit, and the baseline adds up."""
    posterior = fit.posterior
    values = study.jin_model.result_of(posterior).values
    x, draw = posterior.panel.array("exposure")[0], 7
    own = posterior.levels(1.0, np.array([draw]), tail=False)[0]
    for m in range(3):
        medium = {n: float(values[n][draw, m]) for n in ("alpha", "theta", "half_saturation", "slope", "beta")}
        curve = study.jin_world.curve_of(medium, 13)
        brought = medium["beta"] * curve.saturate(study.jin_world.adstocked(x[:, m], curve))
        np.testing.assert_allclose(own[:, m], brought, rtol=1e-5)
        assert values["effect"][draw, m] == pytest.approx(medium["beta"] * float(curve.saturate(np.ones(1))[0]), rel=1e-9)
    baseline = fit.tables.baseline
    total = baseline[baseline["component"] == "baseline"]["mean"].sum()
    price = posterior.panel.array("control")[0, posterior.window, 0]
    stated = (values["intercept"] * len(price) + values["price"] * price.sum()).mean()
    assert total == pytest.approx(stated, rel=1e-5)


def test_the_best_mix_is_that_of_a_search(study, fit):
    mix = study.jin_mix
    value = np.random.default_rng(3).random((5, 7, 3)).cumsum(axis=1)
    for shares, v in zip(mix.best(value, 6), value, strict=True):
        total = {(i, j, 6 - i - j): v[i, 0] + v[j, 1] + v[6 - i - j, 2] for i in range(7) for j in range(7 - i)}
        assert tuple(np.round(shares * 6).astype(int)) == max(total, key=total.get)
    true = mix.of_truth(fit.posterior, WORLD, 0.5, 10)
    assert true.sum() == pytest.approx(1) and (true >= 0).all()
    assert mix.patterns(np.array([[0, 0.5, 0.5], [0.3, 0.3, 0.4], [0, 0.2, 0.8]]), 0.05) == {"1": 0.6667, "none": 0.3333}


def test_twins_are_close_where_there_are_data_and_apart_beyond(study):
    mix = study.jin_mix
    for pair in SETTINGS["pairs"]:
        one, other = tuple(pair["of"]), mix.twin(tuple(pair["of"]), pair["half_saturation"])
        inside, beyond = np.linspace(0, 1, 101), np.array([3.0])
        gap = np.abs(mix.hill(inside, *one) - mix.hill(inside, *other)).max()
        assert gap < 0.03 * mix.hill(np.ones(1), *one)[0]
        assert mix.hill(beyond, *other)[0] > 1.1 * mix.hill(beyond, *one)[0]


def test_bias_and_coverage_are_those_of_a_hand_computation(study):
    lines = [
        {"weighted": {"effect": {"mean": [a], "median": [a], "q05": [a - 0.1], "q95": [a + 0.1]}}} for a in (0.9, 1.3, 0.8, 1.4)
    ]
    found = study.bias_of(lines, "weighted", "effect", np.ones(1))
    assert found["bias_mean"] == [0.1] and found["coverage"] == [0.25]
    assert found["bias_mean_se"][0] == pytest.approx(np.std([0.9, 1.3, 0.8, 1.4], ddof=1) / 2, abs=1e-4)
    assert study.jin_world.effect_at_one(WORLD["media"]["media_2"]) == pytest.approx(0.6 / 1.04)
    assert study.bias_of(lines[:1], "weighted", "effect", np.ones(1))["bias_mean_se"] == [None]
    rng = np.random.default_rng(4)
    k, s, beta = rng.beta(2, 2, 10**6), rng.gamma(3, size=10**6), np.abs(rng.standard_normal(10**6))
    assert study.jin_model.prior_effect() == pytest.approx((beta / (1 + k**s)).mean(), abs=0.003)


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    study.main(["--smoke", "--out", str(tmp_path)])
    names = ["bias.png", "curves.png", "mix.json", "mix.png", "summary.json", "two_years.jsonl"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    stored = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    header, *lines = map(json.loads, stored["two_years.jsonl"].splitlines())
    assert set(header) == {"digest"} and [line["set"] for line in lines] == [0, 1]
    for line in lines:
        effect = line["weighted"]["effect"]
        assert all(0 < low < high for low, high in zip(effect["q05"], effect["q95"], strict=True))
        assert math.isfinite(line["weights_ess"])
    summary = json.loads(stored["summary.json"])["two_years"]
    assert summary["sets"] == 2 and len(summary["weighted"]["bias_mean"]) == 3
    assert "| 1 year | paper | -32.5 / -18.1 / -25.3 | |" in capsys.readouterr().out
    study.main(["--smoke", "--out", str(tmp_path)])
    assert stored == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "converged" not in capsys.readouterr().out  # no fit was run again


def test_results_of_other_settings_are_not_continued(study, tmp_path):
    (tmp_path / "two_years.jsonl").write_text(json.dumps({"digest": "0"}) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="belongs to other settings"):
        study.main(["--smoke", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="no cell three_years"):
        study.main(["--smoke", "--out", str(tmp_path), "--cells", "three_years"])
