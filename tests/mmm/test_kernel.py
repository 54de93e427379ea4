from __future__ import annotations

import ctypes
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from mmx.infer.nutpie_nuts import through_jax
from mmx.mmm import kernel_arrays, kernel_codes, kernel_load
from mmx.mmm.structure import Structure
from mmx.mmm.target import build

from ..finite import EPS, assert_gradient
from .cases import LIKELIHOODS, Case, every, grouped, lifted, other, plain, rich, varying

WIDE = ("student_t", "lognormal", "autocorrelated")  # With all that a model can have beside.
CASES = {"every-national": (every, 1), "every-geo": (every, 3), "plain-national": (plain, 1), "plain-geo": (plain, 3)}
CASES |= {"rich-national": (rich, 1), "rich-geo": (rich, 3)}
CASES |= {"grouped": (lambda _: grouped(), 4)} | {f"varying-{geos}": (varying, geos) for geos in (1, 3)}
CASES |= {f"{name}-3": (partial(other, name), 3) for name in LIKELIHOODS}
CASES |= {f"{name}-1": (partial(other, name), 1) for name in ("counts", "additive counts", "autocorrelated")}
CASES |= {f"{name} rich-{geos}": (partial(rich, likelihood=name), geos) for name, geos in zip(WIDE, (1, 3, 1), strict=True)}
CASES |= {f"lifted-{geos}": (lifted, geos) for geos in (1, 3)}
CASES |= {f"lifted {name}-{geos}": (partial(lifted, likelihood=name), geos) for name, geos in zip(WIDE, (3, 1, 3), strict=True)}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    make, geos = request.param
    return make(geos)


def test_the_kernel_is_the_jax_density(case: Case) -> None:
    arrays = kernel_arrays.arrays_of(case.structure, case.inputs)
    kernel = kernel_load.bind(arrays)
    arrays.work.fill(np.nan)  # What is read before it is written shows.
    for q in case.points(10, seed=3):
        value, gradient = kernel(q)
        expected, slope = case.density(q)
        assert value == pytest.approx(expected, rel=1e-12)
        if np.isfinite(expected):
            np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-12 * np.abs(slope).max())


def test_the_kernels_gradient_is_the_finite_difference(case: Case) -> None:
    arrays = kernel_arrays.arrays_of(case.structure, case.inputs)
    kernel = kernel_load.bind(arrays)
    q = next(q for q in case.points(6, seed=4) if np.isfinite(kernel(q)[0]))  # Additive counts may be expected below zero.
    counts = case.structure.likelihood == "negative_binomial"  # Sums of logarithms of factorials lose two digits.
    assert_gradient(kernel(q)[1], lambda at: kernel(at)[0], q, rounding=1e-14 if counts else EPS)


def test_every_family_has_an_entry(case: Case) -> None:
    assert kernel_codes.supports(case.structure)


def test_a_family_without_an_entry_goes_through_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    case = plain(1)
    structure: Structure = case.structure
    media = [str(m) for m in range(structure.media)]
    q = case.points(1)[0]
    monkeypatch.setattr(kernel_codes, "SATURATION_CODES", {})
    target = build(structure, case.inputs, media)
    assert target.compiled is None
    assert through_jax(target)(q)[0] == pytest.approx(case.density(q)[0], rel=1e-12)


def test_extreme_points_are_finite_or_rejected(case: Case) -> None:
    """Far out the density may overflow to minus infinity or NaN, which a sampler rejects, but it never raises."""
    arrays = kernel_arrays.arrays_of(case.structure, case.inputs)
    kernel = kernel_load.bind(arrays)
    for scale in (5.0, 30.0):
        for q in case.points(3, seed=6) * scale:
            value, _ = kernel(q)
            assert not value > 1e12


def test_the_c_function_is_the_kernel(case: Case) -> None:
    media = [str(m) for m in range(case.structure.media)]
    native = build(case.structure, case.inputs, media).native
    assert native is not None
    functions = native()
    call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)(functions.density)
    arrays = kernel_arrays.arrays_of(case.structure, case.inputs)
    kernel = kernel_load.bind(arrays)
    for q in case.points(3, seed=5):
        gradient, value = np.empty(q.size), np.empty(1)
        table = functions.table.ctypes.data
        rejected = call(q.size, q.ctypes.data, gradient.ctypes.data, value.ctypes.data, table) > 0
        expected, slope = kernel(q)
        assert value[0] == expected and rejected == (not np.isfinite(expected))
        np.testing.assert_array_equal(gradient, slope)
        q[0] = np.nan
        assert call(q.size, q.ctypes.data, gradient.ctypes.data, value.ctypes.data, table) > 0


def test_calls_at_the_same_time_do_not_share_memory(case: Case) -> None:
    """More threads than slots of scratch memory, each at its own point, give what one thread gives."""
    arrays = kernel_arrays.arrays_of(case.structure, case.inputs)
    kernel = kernel_load.bind(arrays)
    points = list(case.points(3 * kernel_arrays.SLOTS, seed=8))
    alone = [kernel(q)[0] for q in points]
    with ThreadPoolExecutor(2 * kernel_arrays.SLOTS) as pool:
        for _ in range(5):
            assert [v for v, _ in pool.map(lambda q: kernel(q), points)] == alone
    assert not arrays.busy.any()


def test_a_bound_kernel_keeps_its_memory(case: Case) -> None:
    """The C function reads and writes arrays by address: they must live as long as the callable."""
    arrays = kernel_arrays.arrays_of(case.structure, case.inputs)
    scratch = weakref.ref(arrays.work)
    call = kernel_load.bind(arrays)
    del arrays
    gc.collect()
    assert scratch() is not None
    del call
    gc.collect()
    assert scratch() is None
