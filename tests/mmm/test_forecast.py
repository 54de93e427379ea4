from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmx.mmm import predict
from mmx.mmm.forecast import forecast, forecast_draws

from .. import oracle
from .cases import LIKELIHOODS
from .draws import posterior_of


def repeated(name: str, geos: int, times: int):
    """A posterior of one draw, many times: what differs between its draws is noise."""
    posterior = posterior_of(name, geos)
    rows = np.zeros(times, dtype=int)
    params = {key: value[rows] for key, value in posterior.params.items()}
    return replace(
        posterior, params=params, beta=posterior.beta[rows], gamma=posterior.gamma[rows], local=posterior.local[rows]
    )


@pytest.mark.parametrize("geos", [1, 3])
@pytest.mark.parametrize("name", ["rich", "varying", *LIKELIHOODS])
def test_a_forecast_has_the_law_of_the_model(name: str, geos: int) -> None:
    posterior = repeated(name, geos, 4000)
    draws = forecast_draws(posterior, seed=5)
    assert draws.shape == (4000, 3, geos)
    for g in range(geos):
        level = oracle_level(posterior, g)
        if posterior.structure.autocorrelated:
            last = posterior.panel.array("kpi")[g, posterior.stop - 1] / posterior.size[g]
            last = np.log(last) if posterior.structure.multiplicative else last
            rho = posterior.params["autocorrelation"][0, 0]
            level[1:] += rho ** np.arange(1, 4) * (last - level[0])
        middle = posterior.size[g] * (np.exp(level[1:]) if posterior.structure.multiplicative else level[1:])
        if posterior.structure.likelihood == "negative_binomial":
            error = draws[:, :, g].std(axis=0) / np.sqrt(4000)
            np.testing.assert_array_less(np.abs(draws[:, :, g].mean(axis=0) - middle), 5 * error)
        else:  # Symmetric noise, on the scale where it is added: the median stays where it is.
            above = (draws[:, :, g] > middle).mean(axis=0)
            np.testing.assert_array_less(np.abs(above - 0.5), 5 * 0.5 / np.sqrt(4000))


def oracle_level(posterior, geo: int) -> np.ndarray:
    """What media and baseline add up to in the last training row and the rows after it, of the first draw."""
    spec, panel, design = posterior.spec, posterior.panel, posterior.design
    rows = slice(posterior.stop - 1, None)
    values = {name: value[0] for name, value in posterior.params.items()}
    own = oracle.Oracle(spec, panel, posterior.weights, posterior.structure, np.zeros(0))
    level = (own.acting(values, oracle.exposure(spec, panel))[rows, geo] * posterior.beta[0, geo]).sum(axis=1)
    level += design.z[rows, geo] @ posterior.gamma[0] + posterior.local[0, :, geo] @ design.local[:, rows]
    if "control" in values:
        level += design.signed[rows, geo] @ values["control"]
    return level + spec.constants.kpi_center


def test_the_table_says_what_is_planned_and_what_is_known() -> None:
    posterior = posterior_of("rich", 3)
    table = forecast(posterior, seed=5)
    assert table["geo"].tolist() == [geo for geo in posterior.panel.names("geo") for _ in range(3)]
    assert table["kpi"].isna().all() and (table["q05"] < table["q95"]).all()
    np.testing.assert_array_equal(table["date"].unique(), posterior.panel.data["time"].values[posterior.stop :])
    draws = forecast_draws(posterior, seed=5)
    np.testing.assert_allclose(table["mean"], draws.mean(axis=0).T.ravel())


def test_nothing_to_forecast_is_said() -> None:
    posterior = posterior_of("rich", 1)
    ended = replace(posterior, panel=replace(posterior.panel, data=posterior.panel.data.isel(time=slice(0, posterior.stop))))
    ended = replace(ended, weights=posterior.weights[: posterior.stop])
    with pytest.raises(ValueError, match="Add rows with the planned media"):
        forecast(ended, seed=1)


def test_predictions_within_the_window_are_the_models_own() -> None:
    posterior = posterior_of("plain", 3)
    for g, level in enumerate(predict.predictive_cells(posterior)):
        parts = list(predict.parts(posterior))[g]
        np.testing.assert_allclose(parts.total(), level, rtol=1e-12)
