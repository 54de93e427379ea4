from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mmx.infer.gate import Gate, judge, summarise
from mmx.infer.target import Draws
from mmx.spec import GateSettings

GATE = GateSettings(max_rhat=1.01, min_ess=400, min_ebfmi=0.3, max_divergences=0)
CHAINS, DRAWS = 4, 1000


def normals(draws: int = DRAWS, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(CHAINS, draws)) for name in ("alpha[tv]", "roas[tv]", "noise")}


def with_stats(draws: int = DRAWS, **changes: np.ndarray) -> Draws:
    shape = (CHAINS, draws)
    rng = np.random.default_rng(1)
    stats = {
        "energy": rng.normal(size=shape),
        "diverging": np.zeros(shape, dtype=bool),
        "reached_max_depth": np.zeros(shape, dtype=bool),
    }
    return Draws(np.zeros((*shape, 1)), stats | changes, {"compile": 0.0, "sample": 0.0}, "nutpie", {})


def verdict(values: dict[str, np.ndarray], **changes: np.ndarray) -> Gate:
    draws = next(iter(values.values())).shape[1]
    return judge(summarise(values), with_stats(draws, **changes), GATE)


def test_well_mixed_chains_pass() -> None:
    found = verdict(normals())
    assert found.passed
    assert found.reasons == ()
    assert 1 <= found.max_rhat < 1.01
    assert found.min_ess == min(found.min_ess_bulk, found.min_ess_tail) > 400
    assert found.min_ebfmi == pytest.approx(2.0, abs=0.3)  # of independent energies: the variance of a difference over one
    assert (found.divergences, found.reached_max_depth) == (0, 0)


def test_a_chain_elsewhere_fails_and_is_named() -> None:
    values = normals()
    values["roas[tv]"][2] += 1.0
    found = verdict(values)
    assert not found.passed
    reason = next(r for r in found.reasons if r.startswith("R-hat"))
    assert "1 of 3 quantities" in reason
    assert "(roas[tv])" in reason
    assert found.max_rhat > 1.05


def test_a_chain_that_is_only_wider_fails() -> None:
    values = normals()
    values["noise"][0] *= 4
    found = verdict(values)
    assert any(r.startswith("R-hat") and "(noise)" in r for r in found.reasons)


def test_short_chains_fail_by_their_effective_sample_size() -> None:
    found = verdict(normals(draws=60))
    assert not found.passed
    assert any(r.startswith("bulk ESS below 400 for 3 of 3") for r in found.reasons)
    assert any(r.startswith("tail ESS below 400 for 3 of 3") for r in found.reasons)


def test_slow_chains_fail_and_the_slowest_is_named() -> None:
    values, rng = normals(), np.random.default_rng(2)
    slow = np.zeros((CHAINS, DRAWS))
    for t in range(1, DRAWS):
        slow[:, t] = 0.97 * slow[:, t - 1] + rng.normal(size=CHAINS)
    values["alpha[tv]"] = slow
    found = verdict(values)
    reason = next(r for r in found.reasons if r.startswith("bulk ESS"))
    assert "1 of 3" in reason
    assert "(alpha[tv])" in reason


@pytest.mark.parametrize(("count", "allowed"), [(1, 0), (6, 5)])
def test_divergences_fail(count: int, allowed: int) -> None:
    diverging = np.zeros((CHAINS, DRAWS), dtype=bool)
    diverging[0, :count] = True
    limits = GATE.model_copy(update={"max_divergences": allowed})
    found = judge(summarise(normals()), with_stats(diverging=diverging), limits)
    assert found.reasons == (f"{count} divergent draws, {allowed} allowed",)
    assert found.divergences == count
    enough = GATE.model_copy(update={"max_divergences": count})
    assert judge(summarise(normals()), with_stats(diverging=diverging), enough).passed


def test_energy_that_hardly_moves_fails() -> None:
    rng = np.random.default_rng(3)
    energy = rng.normal(size=(CHAINS, DRAWS))
    energy[1] = 0.2 * np.cumsum(rng.normal(size=DRAWS))
    found = verdict(normals(), energy=energy)
    assert not found.passed
    assert [r.split(" is ")[0].split(" ")[0] for r in found.reasons] == ["E-BFMI"]
    by_hand = [np.square(np.diff(e)).mean() / e.var() for e in energy]
    assert found.min_ebfmi == pytest.approx(min(by_hand))


def test_energy_that_never_moves_fails() -> None:
    energy = np.random.default_rng(3).normal(size=(CHAINS, DRAWS))
    energy[2] = 1.0
    assert any(r.startswith("E-BFMI") for r in verdict(normals(), energy=energy).reasons)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_fails_and_is_named(bad: float) -> None:
    values = normals()
    values["roas[tv]"][1, 5] = bad
    found = verdict(values)
    assert not found.passed
    assert any("roas[tv]" in r for r in found.reasons)


def test_chains_that_never_move_fail() -> None:
    values = normals() | {"stuck": np.repeat(np.arange(CHAINS, dtype=float)[:, None], DRAWS, axis=1)}
    assert not verdict(values).passed


def test_draws_at_the_depth_limit_are_counted() -> None:
    reached = np.zeros((CHAINS, DRAWS), dtype=bool)
    reached[3, 7:10] = True
    found = verdict(normals(), reached_max_depth=reached)
    assert found.passed
    assert found.reached_max_depth == 3
    assert found.as_mapping()["reasons"] == []


def test_the_summary_is_arvizs() -> None:
    import arviz as az

    values = normals(draws=300) | {"skewed": np.random.default_rng(5).gamma(0.5, 1.0, (CHAINS, 300))}
    values["skewed"][:, 1:] += 0.8 * values["skewed"][:, :-1]
    found = summarise(values).set_index("name")
    tree = az.from_dict({"posterior": values})
    expected = az.summary(tree, round_to="none", ci_prob=0.9, ci_kind="eti")
    tail = az.ess(tree, method="tail", prob=(0.05, 0.95))
    expected["ess_tail"] = [float(tail[name]) for name in expected.index]
    assert list(found.index) == list(expected.index)
    pairs = {"mean": "mean", "sd": "sd", "rhat": "r_hat", "ess_bulk": "ess_bulk", "ess_tail": "ess_tail"}
    lower, upper = (c for c in expected.columns if c.startswith("eti"))
    for ours, theirs in {**pairs, "q05": lower, "q95": upper}.items():
        np.testing.assert_allclose(found[ours], expected[theirs].astype(float), rtol=1e-10, err_msg=ours)
    assert isinstance(found, pd.DataFrame)
