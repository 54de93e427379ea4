"""Compiled evaluation of draws against the same through JAX, for every family and meaning of an effect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmx.jax_setup import jax
from mmx.mmm import density, evaluate, evaluate_jax, kernel_codes
from mmx.mmm.levels import evaluator
from mmx.mmm.parameters import constrained, parameters_of, scales
from mmx.response.registry import ADSTOCKS, SATURATIONS

from .cases import LIKELIHOODS, Case, every, lifted, other, plain, rich

CASES = {"every-national": (every, 1), "every-geo": (every, 3), "plain-national": (plain, 1), "plain-geo": (plain, 3)}
CASES |= {"rich-national": (rich, 1), "rich-geo": (rich, 3), "lifted-geo": (lifted, 3)}
SAMPLES = 40


def close(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal to 1e-12, relative to the value or to the largest one of the same medium or column."""
    assert found.shape == expected.shape
    scale = np.abs(expected).max(axis=tuple(range(expected.ndim - 1)))
    assert (np.abs(found - expected) <= 1e-12 * np.maximum(np.abs(expected), scale)).all()


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def drawn(request: pytest.FixtureRequest) -> tuple[Case, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A case with parameters and everything that its coefficients are solved from."""
    make, geos = request.param
    case: Case = make(geos)
    structure, rng = case.structure, np.random.default_rng(1)
    params = constrained(structure, case.inputs, case.points(SAMPLES, seed=4))
    noise = {
        "shared_noise": rng.normal(size=(SAMPLES, structure.columns)),
        "geo_noise": rng.normal(size=(SAMPLES, *case.inputs["local_w"].shape)),
    }
    return case, params, {**scales(structure, case.inputs, params), **noise}


def test_every_family_has_compiled_code() -> None:
    assert set(evaluate.ADSTOCK_CODES) == set(ADSTOCKS)
    assert set(evaluate.SATURATION_CODES) == set(SATURATIONS)
    assert evaluator(every(1).structure) is evaluate


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_coefficients_of_another_likelihood_go_through_jax(likelihood: str) -> None:
    assert kernel_codes.supports(other(likelihood, 3).structure)
    assert not kernel_codes.has_coefficients(other(likelihood, 3).structure)
    assert kernel_codes.has_coefficients(lifted(3).structure)


def test_parameters_are_those_of_the_density(drawn: Any) -> None:
    case, params, found = drawn
    structure, inputs = case.structure, case.inputs

    @jax.jit
    def one(q: Any) -> Any:
        named = density.constrain(structure, q, inputs)
        factor, sd = density.geo_factors(structure, named, inputs), density.baseline_sd(structure, named, inputs)
        return named, {"effect": density.effects(structure, named, inputs), "factor": factor, "prior_sd": sd}

    expected, scale = jax.tree.map(np.asarray, jax.vmap(one)(case.points(SAMPLES, seed=4)))
    assert set(params) == set(expected)
    for name, values in expected.items():
        close(params[name], values)
    for name, values in scale.items():
        close(found[name], values)


def test_coefficients_are_those_of_jax(drawn: Any) -> None:
    case, params, given = drawn
    found = evaluate.coefficients(case.structure, case.inputs, params, given)
    expected = evaluate_jax.coefficients(case.structure, case.inputs, params, given)
    close(found[0], expected[0])
    # A factorisation loses digits with the condition of its matrix, by whichever code.
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11 * np.abs(theirs).max())


def test_levels_are_those_of_jax(drawn: Any) -> None:
    case, params, given = drawn
    beta, _, _ = evaluate.coefficients(case.structure, case.inputs, params, given)
    x, money = case.inputs["x"], case.inputs["money_train"] + 1.0
    expected = evaluate_jax.levels(case.structure, params, beta, x, money)
    close(evaluate.levels(case.structure, params, beta, x, money), expected)
    close(evaluate.levels(case.structure, params, beta, x, money, first=17), expected[:, 17:])


@pytest.mark.parametrize("history", [True, False])
def test_totals_are_those_of_jax(drawn: Any, history: bool) -> None:
    case, params, given = drawn
    beta, _, _ = evaluate.coefficients(case.structure, case.inputs, params, given)
    x, money = case.inputs["x"].copy(), case.inputs["money_train"] + 1.0
    before = np.where(case.inputs["money_train"][..., None] > 0, 0.0, x) if history else np.zeros_like(x)
    x[-3:] = 0.0
    groups = np.full(len(x), -1)
    groups[6:], groups[-3:], groups[20] = 0, 1, -1
    multipliers = np.array([0.0, 0.25, 1.0, 1.01, 3.0])
    found = evaluate.totals(case.structure, params, beta, x, before, money, groups, multipliers)
    assert found.shape == (SAMPLES, 5, 2, case.structure.media)
    close(found, evaluate_jax.totals(case.structure, params, beta, x, before, money, groups, multipliers))
    assert (found[:, 0] == 0).all() == (not history)


def test_no_exposure_brings_nothing_and_endless_exposure_everything(drawn: Any) -> None:
    case, params, _ = drawn
    structure = case.structure
    beta = np.ones((SAMPLES, structure.geos, structure.media))
    x, money = np.zeros_like(case.inputs["x"]), np.ones_like(case.inputs["money_train"])
    assert (evaluate.levels(structure, params, beta, x, money) == 0).all()
    endless = evaluate.levels(structure, params, beta, x + 1e200, money)
    bounded = np.array([SATURATIONS[family].bounded for family in structure.saturation])
    ends = [m for m in np.flatnonzero(bounded) if structure.order[m] == "adstock"]
    np.testing.assert_allclose(endless[..., ends], structure.geos, rtol=1e-6)
    # By the last period every lag has seen the exposure: where it saturates first, the first lags may weigh little.
    assert (endless[:, -1, ~bounded] > 3 * structure.geos).all()


def test_a_draw_does_not_depend_on_its_company(drawn: Any) -> None:
    case, params, given = drawn
    together = evaluate.coefficients(case.structure, case.inputs, params, given)
    alone = evaluate.coefficients(
        case.structure, case.inputs, {k: v[7:8] for k, v in params.items()}, {k: v[7:8] for k, v in given.items()}
    )
    for many, one in zip(together, alone, strict=True):
        np.testing.assert_array_equal(many[7], one[0])


def test_families_without_compiled_code_go_through_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    case = plain(3)
    q = case.points(20, seed=2)[None]
    expected = parameters_of(case.structure, case.inputs, q, seed=3)
    monkeypatch.delitem(evaluate.ADSTOCK_CODES, "delayed")
    assert evaluator(case.structure) is evaluate_jax
    for ours, theirs in zip(parameters_of(case.structure, case.inputs, q, seed=3), expected, strict=True):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, theirs)


def test_a_fit_through_the_kernel_loads_no_jax() -> None:
    program = (
        "import sys\nimport numpy as np\nfrom tests.mmm.cases import plain\nfrom mmx.mmm.parameters import parameters_of\n"
        "case = plain(1)\nparameters_of(case.structure, case.inputs, case.points(20)[None], seed=1)\n"
        "import mmx.mmm.store, mmx.mmm.fit, mmx.decide.recommend\nfrom mmx.decide.fit_response import response_of\n"
        "from tests.mmm.draws import made_of\nposterior = made_of(case, case.points(20))\n"
        "response = response_of(posterior, posterior.reference(3))\nresponse.value_and_slope(response.current)\n"
        "print('jax' in sys.modules)\n"
        "from mmx.jax_setup import jax\nprint(jax.config.jax_enable_x64)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == ["False", "True"]
