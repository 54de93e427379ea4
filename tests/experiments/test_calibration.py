"""The study of calibration: its bands are exact, its simulator is the model, and at smoke size it runs and resumes."""

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import linalg, stats

from mmx.mmm.parameters import prior_vectors
from mmx.mmm.resolve import resolve

from .. import oracle
from ..panels import shop_config, shop_panel
from .test_scripts import SCRIPTS, script

STUDY = SCRIPTS / "calibration"


@pytest.fixture(scope="module")
def study():
    """The study's script; the modules beside it are found as when it is launched."""
    sys.path.insert(0, str(STUDY))
    try:
        yield script("calibration/run")
    finally:
        sys.path.remove(str(STUDY))


@pytest.fixture(scope="module")
def bands(study):
    return study.sbc_bands


def all_ranks(simulations, draws):
    return np.array(list(itertools.product(range(draws + 1), repeat=simulations)))


@pytest.mark.parametrize(("simulations", "draws"), [(4, 3), (3, 6), (6, 2)])
def test_coverage_is_that_of_all_rank_vectors(bands, simulations, draws):
    every = np.array([bands.counts(ranks, draws) for ranks in all_ranks(simulations, draws)])
    for gamma in (0.02, 0.2, 0.6):
        lower, upper = bands.pointwise(gamma, simulations, draws)
        share = ((every >= lower) & (every <= upper)).all(axis=1).mean()
        assert 0 < share < 1 or gamma == 0.02
        assert bands.coverage(lower, upper, simulations) == pytest.approx(share, rel=1e-12)


def test_p_values_are_those_of_all_rank_vectors(bands):
    """The p-value of a rank vector is the chance of all vectors whose p-value is not larger."""
    found = np.array([bands.p_value(ranks, 3) for ranks in all_ranks(4, 3)])
    assert len(np.unique(found.round(12))) > 5
    for value in np.unique(found.round(12)):
        assert (found <= value + 1e-9).mean() == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_bands_hold_uniform_ranks_as_often_as_they_say(bands, level):
    simulations, draws, repetitions = 200, 99, 4000
    lower, upper = bands.bands(simulations, draws, level)
    exact = bands.coverage(lower, upper, simulations)
    assert level <= exact < level + 0.1 * (1 - level)
    ranks = np.random.default_rng(1).integers(0, draws + 1, (repetitions, simulations))
    counts = np.array([bands.counts(r, draws) for r in ranks])
    share = ((counts >= lower) & (counts <= upper)).all(axis=1).mean()
    assert abs(share - exact) < 4 * np.sqrt(exact * (1 - exact) / repetitions)


def test_bands_agree_with_those_of_arviz(bands):
    """ArviZ finds the pointwise level by simulation; at its level these bands cover what was asked for, within its error."""
    from arviz_stats.ecdf_utils import get_pointwise_confidence_band, simulate_confidence_bands

    simulations, draws, trials = 100, 49, 4000
    grid = np.arange(1, draws + 1) / (draws + 1)
    pointwise = simulate_confidence_bands(simulations, 1, grid, 0.95, trials, np.random.default_rng(2))
    theirs = [(v * simulations).round() for v in get_pointwise_confidence_band(pointwise, simulations, grid)]
    for mine, other in zip(bands.pointwise(1 - pointwise, simulations, draws), theirs, strict=True):
        assert np.abs(mine - other).max() <= 1  # a quantile that is met exactly may fall on either side
    found = bands.coverage(*bands.pointwise(1 - pointwise, simulations, draws), simulations)
    assert abs(found - 0.95) < 4 * np.sqrt(0.95 * 0.05 / trials) + 0.01  # one step of the coverage in gamma


@pytest.mark.parametrize(("a", "b"), [(1.5, 1.0), (2.2, 2.2), (0.6, 0.6)], ids=["shifted", "too wide", "too narrow"])
def test_ranks_that_are_not_uniform_leave_the_bands(bands, a, b):
    shares = stats.beta(a, b).ppf((np.arange(200) + 0.5) / 200)
    ranks = (shares * 100).astype(int)
    lower, upper = bands.bands(200, 99, 0.99)
    counts = bands.counts(ranks, 99)
    assert ((counts < lower) | (counts > upper)).any()
    assert bands.p_value(ranks, 99) < 0.01
    assert bands.p_value(np.arange(200) // 2, 99) > 0.99


@pytest.fixture(scope="module", params=[1, 3], ids=["national", "geo"])
def model(request, study):
    """Every family of the small shop, with media history and planned rows outside the window."""
    panel = shop_panel(request.param, weeks=40)
    return study.sbc_model.model_of(resolve(shop_config().spec, panel), panel)


def oracle_of(model):
    weights = model.panel.window.astype(float)
    return oracle.Oracle(model.spec, model.panel, weights, model.structure, model.inputs["geo_basis"])


def test_parameters_are_drawn_from_the_priors_of_the_density(study, model):
    """By the priors as the settings state them."""
    made, other = oracle_of(model), 4000
    vectors = prior_vectors(model.structure, model.inputs, other, np.random.default_rng(3))
    sd, priors = model.spec.constants.kpi_sd, model.spec.model.baseline
    scales = {"noise": priors.noise * sd, "drift_sd": priors.drift * sd}
    for block in model.structure.blocks:
        part = vectors[:, model.structure.slices[block.name]]
        if block.kind == "beta":
            values, law = 1 / (1 + np.exp(-part)), oracle.distribution(made._prior(block.name))
        elif block.kind == "half_normal":
            values, law = np.exp(part), stats.halfnorm(scale=scales[block.name])
        else:
            values, law = part, stats.norm()
        assert stats.kstest(values.ravel(), law.cdf).pvalue > 1e-3, block.name
        correlation = np.corrcoef(part.T).reshape(block.size, block.size)[~np.eye(block.size, dtype=bool)]
        assert (np.abs(correlation) < 4.5 / np.sqrt(other)).all(), block.name


def test_simulated_data_have_the_covariance_of_the_density(study, model):
    """Each KPI, less its media by the oracle, is whitened by the oracle's dense covariance at its own parameters."""
    made, whitened = oracle_of(model), []
    x, train = oracle.exposure(model.spec, model.panel), model.panel.window
    size = np.array(model.spec.constants.geo_scale) * model.spec.constants.kpi_scale
    for seed in range(25):
        truth = study.sbc_model.simulate(model, np.random.default_rng(seed))
        values = {name: value[0] for name, value in truth.params.items()}
        media = np.einsum("tgm,gm->tg", oracle.saturated(model.spec, values, x), made.beta(values))
        np.testing.assert_allclose(made.beta(values), truth.beta[0], rtol=1e-9)
        residual = truth.panel.array("kpi").T / size - model.spec.constants.kpi_center - media
        covariance = oracle.covariance_of(
            model.design.z[train],
            made.baseline_sd(values),
            made.own(),
            values["noise"][0],
            np.ones(int(train.sum())),
        )
        assert not np.isfinite(residual[~train]).any()
        whitened.append(linalg.solve_triangular(np.linalg.cholesky(covariance), residual[train].ravel(), lower=True))
    pooled = np.array(whitened)
    assert stats.kstest(pooled.ravel(), stats.norm.cdf).pvalue > 1e-3
    squares = (pooled**2).sum(axis=1)
    assert stats.kstest(squares, stats.chi2(pooled.shape[1]).cdf).pvalue > 1e-3


def test_what_is_ranked_is_what_it_says(study, model):
    truth = study.sbc_model.simulate(model, np.random.default_rng(4))
    found = study.sbc_model.quantities(truth)
    rows, noise = truth.window, truth.params["noise"][0, 0]
    for c, name in enumerate(truth.panel.names("channel")):
        assert found[f"roas[{name}]"][0] == pytest.approx(truth.params["effect"][0, c], rel=1e-9)
    constants, design = truth.constants, model.design
    size = np.array(constants.geo_scale) * constants.kpi_scale
    steady = constants.kpi_center + design.z @ truth.gamma[0] + np.einsum("kt,kg->tg", design.local, truth.local[0])
    money = oracle.money(model.spec, model.panel)
    assert found["baseline"][0] == pytest.approx((steady * money)[rows].sum(), rel=1e-9)
    x = oracle.exposure(model.spec, model.panel)
    values = {name: value[0] for name, value in truth.params.items()}
    media = np.einsum("tgm,gm->tg", oracle.saturated(model.spec, values, x), truth.beta[0])
    y = truth.panel.array("kpi").T / size
    density = stats.norm(steady + media, noise).logpdf(y)[rows].sum()
    assert found["log likelihood"][0] == pytest.approx(density - rows.sum() * np.log(size).sum(), rel=1e-9)


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    study.main(["--smoke", "--out", str(tmp_path)])
    cells = ("default", "no_data", "wrong_roas")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["calibration.png", "summary.json", *(f"{c}.jsonl" for c in cells)]
    )
    stored = {cell: (tmp_path / f"{cell}.jsonl").read_text(encoding="utf-8") for cell in cells}
    header, *lines = map(json.loads, stored["default"].splitlines())
    assert len(lines) == 3
    assert {"roas[tv]", "contribution", "baseline", "noise", "log likelihood"} <= set(header["names"])
    assert all(0 <= rank <= 9 for line in lines for rank in line["ranks"])
    assert not any(line["converged"] for line in lines)  # counted all the same
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["default"]["through_the_gate"] == 0
    assert summary["default"]["simulations"] == 3
    capsys.readouterr()
    kept = stored["default"].splitlines()[:-1]
    (tmp_path / "default.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    study.main(["--smoke", "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "default 2:" in shown
    assert shown.count(" s, converged") == 1  # only the missing one was run again
    again = [json.loads(line)["ranks"] for line in (tmp_path / "default.jsonl").read_text(encoding="utf-8").splitlines()[1:]]
    assert again == [line["ranks"] for line in lines]


def test_results_of_other_settings_are_not_continued(study, tmp_path):
    path = Path(tmp_path) / "default.jsonl"
    path.write_text(json.dumps({"digest": "0", "names": []}) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="belongs to other settings"):
        study.main(["--smoke", "--out", str(tmp_path), "--cells", "default"])
