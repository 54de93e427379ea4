"""The compiled kernel is the JAX density: every family alone, at full size, freshly compiled and from its cache.

What has no entry in the kernel samples through JAX, and the front ends state the same density for models of every family.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import cycle, product
from pathlib import Path

import numpy as np
import pytest

from mmx.infer.sampling import sample
from mmx.infer.target import Target
from mmx.jax_setup import jax
from mmx.mmm import kernel_codes
from mmx.mmm.fit import fit
from mmx.mmm.target import build, log_density_of
from mmx.response.registry import ADSTOCKS, SATURATIONS

from ..finite import assert_gradient
from ..panels import OPEN_GATE, shop_config, shop_panel
from .cases import OWN, TOTAL, Case, every, make, plain
from .test_exact import default

ROOT = Path(__file__).parents[2]
PAIRS = sorted({*product(ADSTOCKS, ["hill"]), *product(["geometric"], SATURATIONS)})
# All pairs in both orders, nationally and by geo, with gradients, are in the case ``every`` of test_kernel.
FAMILIES = [(*pair, True, geos) for pair, geos in zip(PAIRS, cycle([1, 3]))]
FAMILIES += [(*pair, False, geos) for pair, geos in zip(PAIRS[::4], cycle([3, 1]))]


@cache
def alone(adstock: str, saturation: str, first: bool, geos: int) -> Case:
    """All channels of one adstock and one saturation: by ROAS nationally, by shares of one total by geo."""
    names = ("tv", "search")
    model = {
        "adstock": adstock,
        "saturation": saturation,
        "adstock_first": first,
        "priors": OWN["roas"] if geos == 1 else TOTAL,
    }
    config = shop_config({"model": model}, mixed=False, channels=names)
    panel = shop_panel(geos, weeks=40, channels=names)
    return make(config.spec, panel, panel.window.astype(float))


def target_of(case: Case) -> Target:
    return build(case.structure, case.inputs, [str(m) for m in range(case.structure.media)])


def assert_the_same(case: Case, points: np.ndarray) -> None:
    """Value and gradient to 1e-12, relative to the value and to the largest entry of the gradient."""
    compiled = target_of(case).compiled
    assert compiled is not None
    call = compiled()
    for q in points:
        value, gradient = call(q)
        expected, slope = case.density(q)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-12 * np.abs(slope).max())


@pytest.mark.parametrize(("adstock", "saturation", "first", "geos"), FAMILIES)
def test_every_family_alone(adstock: str, saturation: str, first: bool, geos: int) -> None:
    """The value is that of JAX; the gradient that of the value, for XLA takes three times as long to compile gradients."""
    case = alone(adstock, saturation, first, geos)
    compiled = target_of(case).compiled
    assert compiled is not None
    call = compiled()
    value = jax.jit(log_density_of(case.structure))
    for q in case.points(3, seed=41):
        found, slope = call(q)
        assert found == pytest.approx(float(value(q, case.inputs)), rel=1e-12)
        assert_gradient(slope, lambda at: call(at)[0], q)


@pytest.mark.parametrize("geos", [1, 5])
def test_the_default_model_at_full_size(geos: int) -> None:
    case = default(geos)
    assert case.structure.times >= 104 and case.structure.media == 6 and case.structure.drift_terms > 5
    assert_the_same(case, case.points(5, seed=42))
    (q,) = case.points(1, seed=43)
    compiled = target_of(case).compiled
    assert compiled is not None
    call = compiled()
    assert_gradient(call(q)[1], lambda at: call(at)[0], q)


@pytest.mark.parametrize(
    ("likelihood", "geos"),
    [("student_t", 1), ("student_t by geo", 5), ("lognormal", 1), ("noise by geo", 5), ("autocorrelated lognormal by geo", 5)],
)
def test_other_likelihoods_at_full_size(likelihood: str, geos: int) -> None:
    """Without counts: gamma functions of a million cancel to nine digits, in JAX and here; ``test_kernel`` has smaller ones."""
    case = default(geos, likelihood)
    assert case.structure.times >= 104 and case.structure.media == 6
    assert_the_same(case, case.points(5, seed=42))


PROGRAM = """
import hashlib, json, sys
sys.path.insert(0, {root!r})
import numpy as np
from tests.mmm.cases import every, plain
from mmx.mmm.levels import levels, totals
from mmx.mmm.parameters import parameters_of
from mmx.mmm.target import build
found = []
for case in (every(1), plain(3)):
    call = build(case.structure, case.inputs, [str(m) for m in range(case.structure.media)]).compiled()
    for q in case.points(4, seed=44):
        value, gradient = call(q)
        found.append([value.hex(), *[g.hex() for g in gradient.tolist()]])
case = plain(1)
params, beta, gamma, _ = parameters_of(case.structure, case.inputs, case.points(50)[None], seed=1)
x, money = case.inputs["x"], case.inputs["money_train"]
evaluated = [beta, gamma, levels(case.structure, params, beta, x, money)]
for before in (np.zeros_like(x), x):
    groups, multipliers = np.zeros(len(x), dtype=int), np.array([0.0, 0.5, 2.0])
    evaluated.append(totals(case.structure, params, beta, x, before, money, groups, multipliers))
print(json.dumps([found, hashlib.sha256(b"".join(v.tobytes() for v in evaluated)).hexdigest()]))
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[list[list[str]], str]]:
    """Values and gradients, and a digest of evaluated draws, of a process with an empty cache and of one with what it left."""
    cache_folder = tmp_path_factory.mktemp("kernel") / "cache"
    found = []
    for expected in (False, True):
        assert any(cache_folder.rglob("*")) == expected
        names = ("MMX_CACHE_DIR", "NUMBA_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")
        environment = {k: v for k, v in os.environ.items() if k not in names} | {"MMX_CACHE_DIR": str(cache_folder)}
        code = PROGRAM.format(root=str(ROOT))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        found.append(tuple(json.loads(done.stdout)))
    return found


@pytest.mark.slow  # Compiles for minutes; no process runs what it compiled itself.
def test_the_kernel_is_the_density_fresh_and_from_its_cache(processes: list[tuple[list[list[str]], str]]) -> None:
    points = [(case, q) for case in (every(1), plain(3)) for q in case.points(4, seed=44)]
    for rows, _ in processes:
        for row, (case, q) in zip(rows, points, strict=True):
            value, *gradient = map(float.fromhex, row)
            expected, slope = case.density(q)
            assert value == pytest.approx(expected, rel=1e-12)
            np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-12 * np.abs(slope).max())


@pytest.mark.slow
def test_kernel_and_evaluation_have_the_same_bits_fresh_and_from_their_caches(
    processes: list[tuple[list[list[str]], str]],
) -> None:
    """Or else a seed gives other draws, and other numbers, in the process that compiles than in all that follow."""
    fresh, loaded = processes
    assert fresh == loaded


def test_a_model_without_a_kernel_is_fitted_through_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same short fit by either way: up to rounding the same draws at first, and a finite posterior all along."""
    channels = ("tv", "search")
    config = shop_config({"gate": OPEN_GATE, "model": {"saturation": "logistic"}}, mixed=False, channels=channels)
    panel = shop_panel(1, weeks=40, channels=channels)
    ours = fit(panel, config.spec, seed=45)
    monkeypatch.setattr(kernel_codes, "SATURATION_CODES", {"hill": 0})
    theirs = fit(panel, config.spec, seed=45)
    case = make(config.spec, panel, panel.window.astype(float))
    assert not kernel_codes.supports(case.structure)
    target = target_of(case)
    assert target.compiled is None
    for made in (ours, theirs):
        for q, lp in zip(made.draws.q[:, -1], made.draws.stats["lp"][:, -1], strict=True):
            assert lp == pytest.approx(case.density(q)[0], rel=1e-9)
    assert np.isfinite(theirs.draws.q).all()
    assert (theirs.draws.q.std(axis=(0, 1)) > 0).all()


def test_a_kernel_that_is_there_is_used() -> None:
    """A density in JAX that would fail shows which of the two the sampler calls."""
    case = alone("geometric", "hill", True, 1)
    target = target_of(case)

    def refuse(q: object, inputs: object) -> object:
        raise AssertionError("the density in JAX was called")

    settings = shop_config().spec.sampler
    drawn = sample(replace(target, log_density=refuse), settings, seed=46)
    assert np.isfinite(drawn.q).all()


@pytest.mark.parametrize(("build_case", "geos"), [(every, 3), (plain, 1)], ids=["every-geo", "plain-national"])
def test_numpyro_states_the_same_density(build_case, geos: int) -> None:
    """Beside the cases of test_front_ends: every family by geo, unequal row weights."""
    from numpyro.infer.util import potential_energy

    case = build_case(geos)
    target = target_of(case)
    energy = jax.jit(lambda values: potential_energy(target.numpyro_model, (case.inputs,), {}, values))
    for q in case.points(3, seed=47):
        found = -float(energy({site.name: q[site.place] for site in target.sites}))
        assert found == pytest.approx(case.density(q)[0], rel=1e-8)


def test_pymc_states_the_same_density() -> None:
    case = every(3)
    target = target_of(case)
    model = target.pymc_model()
    suffix = {"identity": "", "log": "_log__", "logit": "_logodds__"}
    compiled = model.compile_logp(mode="JAX")
    for q in case.points(3, seed=48):
        point = {f"{site.name}{suffix[site.transform]}": q[site.place] for site in target.sites}
        assert float(compiled(point)) == pytest.approx(case.density(q)[0], rel=1e-8)
