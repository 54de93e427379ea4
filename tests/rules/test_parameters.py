"""Parameters: ranges, round trips between values, positions and free coordinates, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from mmx.errors import ConfigError
from mmx.rules.engine import Engine
from mmx.rules.parameters import EDGE, Parameter, Space, make_space

SPACE = Engine().space
SMALL = make_space(
    [
        ("a", (Parameter("x", "a length", "days", 2.0, 10.0, 4.0), Parameter("y", "a ratio", "ratio", 0.1, 10.0, 1.0, "log"))),
        ("b", (Parameter("x", "a share", "share", 0.0, 1.0, 0.25),)),
    ]
)
units = st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).map(np.array)


def test_names_and_ends() -> None:
    assert SMALL.names == ("a.x", "a.y", "b.x")
    assert len(SMALL) == 3
    np.testing.assert_array_equal(SMALL.low, [2.0, 0.1, 0.0])
    np.testing.assert_array_equal(SMALL.high, [10.0, 10.0, 1.0])
    np.testing.assert_array_equal(SMALL.default, [4.0, 1.0, 0.25])
    np.testing.assert_array_equal(SMALL.logarithmic, [False, True, False])


def test_positions_are_shares_of_the_range_on_the_scale_of_the_search() -> None:
    np.testing.assert_allclose(SMALL.to_unit(SMALL.default), [0.25, 0.5, 0.25], rtol=1e-12)
    np.testing.assert_allclose(SMALL.to_free(SMALL.default), logit([0.25, 0.5, 0.25]), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        SMALL.from_free(np.array([1.0, -2.0, 0.5])), SMALL.from_unit(expit([1.0, -2.0, 0.5])), rtol=1e-12
    )


@given(units)
def test_positions_come_back(unit: np.ndarray) -> None:
    vector = SMALL.from_unit(unit)
    assert ((vector >= SMALL.low) & (vector <= SMALL.high)).all()
    np.testing.assert_allclose(SMALL.to_unit(vector), unit, atol=1e-12)


@given(units)
def test_free_coordinates_come_back_within_the_edges(unit: np.ndarray) -> None:
    vector = SMALL.from_unit(unit)
    free = SMALL.to_free(vector)
    assert np.isfinite(free).all()
    back = SMALL.to_unit(SMALL.from_free(free))
    np.testing.assert_allclose(back, np.clip(unit, EDGE, 1.0 - EDGE), rtol=1e-9, atol=1e-12)
    assert (np.abs(SMALL.to_unit(vector) - back) <= EDGE * 1.001).all()


def test_batches_and_what_lies_outside() -> None:
    rng = np.random.default_rng(1)
    unit = rng.uniform(0.0, 1.0, (5, 4, len(SPACE)))
    vectors = SPACE.from_unit(unit)
    assert vectors.shape == unit.shape
    np.testing.assert_allclose(SPACE.to_unit(vectors), unit, atol=1e-9)
    np.testing.assert_allclose(SPACE.from_free(SPACE.to_free(vectors)), vectors, rtol=1e-4, atol=1e-4)
    for position, end in ((2.0, SPACE.high), (-1.0, SPACE.low)):
        found = SPACE.from_unit(np.full(len(SPACE), position))
        np.testing.assert_allclose(found, end, rtol=1e-12)
        assert ((found >= SPACE.low) & (found <= SPACE.high)).all()


def test_the_defaults_come_back() -> None:
    np.testing.assert_allclose(SPACE.from_unit(SPACE.to_unit(SPACE.default)), SPACE.default, rtol=1e-12)
    np.testing.assert_allclose(SPACE.from_free(SPACE.to_free(SPACE.default)), SPACE.default, rtol=1e-9)


def test_thresholds_that_must_be_ordered_are_increments() -> None:
    """Whatever the vector, ``excellent`` asks for more than ``high``, and raises by no less."""
    names = ("excellent.above_high", "excellent.rise_above_high", "high.above_target")
    assert all(SPACE.parameters[SPACE.index(name)].low >= 0.0 for name in names)
    assert SPACE.parameters[SPACE.index("hold_probe.days")].low > 0.0


def test_vectors_and_differences() -> None:
    vector = SMALL.vector({"a.y": 2.0})
    np.testing.assert_array_equal(vector, [4.0, 2.0, 0.25])
    assert SMALL.differing(vector) == {"a.y": 2.0}
    assert SMALL.differing(SMALL.default) == {}
    np.testing.assert_array_equal(SMALL.vector({}), SMALL.default)


def test_unknown_names_and_values_outside_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no parameter is called 'a\.z'; the nearest is 'a\.[xy]'"):
        SMALL.index("a.z")
    with pytest.raises(ConfigError, match=r"no parameter is called 'b\.xx'; the nearest is 'b\.x'"):
        SMALL.vector({"b.xx": 0.5})
    with pytest.raises(ConfigError, match=r"rules\.a\.x: 11 lies outside \[2, 10\] \(days\)"):
        SMALL.vector({"a.x": 11.0})
    with pytest.raises(ConfigError, match="lies outside"):
        SMALL.vector({"a.x": float("nan")})


@pytest.mark.parametrize(
    "numbers", [(1.0, 1.0, 1.0, "linear"), (0.0, 1.0, 0.0, "linear"), (0.0, 1.0, 1.0, "linear"), (0.0, 1.0, 0.5, "log")]
)
def test_a_parameter_without_a_proper_range_is_refused(numbers: tuple[float, float, float, str]) -> None:
    low, high, default, scale = numbers
    with pytest.raises(ValueError, match="needs low < default < high"):
        Parameter("x", "a number", "ratio", low, high, default, scale)  # type: ignore[arg-type]


def test_two_parameters_of_one_name_are_refused() -> None:
    one = Parameter("x", "a number", "ratio", 0.0, 1.0, 0.5)
    with pytest.raises(ValueError, match="two parameters have one name"):
        make_space([("a", (one, one))])
    assert len(make_space([])) == 0 and isinstance(make_space([]), Space)
