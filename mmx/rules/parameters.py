"""Parameters of rules: values with units and ranges, as a vector, and as unconstrained coordinates.

A parameter lies in ``[low, high]``. A threshold that must lie above another one is stated as its distance from it (an
increment of its own, never negative), so that every vector within the ranges has its thresholds in order. Search and pooling
work in unconstrained coordinates: ``u = log((x - low) / (high - x))`` of the parameter, or of its logarithm where ``scale`` is
``log``. A vector holds real numbers; a parameter whose unit is a whole number of days is a smooth ramp around it in the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mmx.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmx.rules.learned import Learned

EDGE = 1e-6


@dataclass(frozen=True)
class Parameter:
    """One number that a rule reads.

    Attributes
    ----------
    name : str
        Unique among the parameters of one rule; ``rule.name`` is unique in the library.
    meaning : str
        A sentence.
    unit : str
        ``share``, ``ratio``, ``days``, ``probability``, ``purchases``, ``currency`` ...
    low, high, default : float
        Range and default, ``low < default < high``.
    scale : {"linear", "log"}
        On which scale the range is searched; ``log`` needs ``low > 0``.
    learned : optional
        How ``mmx rules auto`` takes it from a customer's own past.
    """

    name: str
    meaning: str
    unit: str
    low: float
    high: float
    default: float
    scale: Literal["linear", "log"] = "linear"
    learned: Learned | None = None

    def __post_init__(self) -> None:
        if not self.low < self.default < self.high or (self.scale == "log" and self.low <= 0.0):
            raise ValueError(f"{self.name}: needs low < default < high (above 0 on a log scale)")


@dataclass(frozen=True)
class Space:
    """An ordered set of parameters: names, ranges, and the ways between vectors, mappings and coordinates."""

    names: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def low(self) -> NDArray[np.float64]:
        """Lower ends, (parameter,)."""
        return np.array([p.low for p in self.parameters])

    @property
    def high(self) -> NDArray[np.float64]:
        """Upper ends, (parameter,)."""
        return np.array([p.high for p in self.parameters])

    @property
    def default(self) -> NDArray[np.float64]:
        """Default values, (parameter,)."""
        return np.array([p.default for p in self.parameters])

    @property
    def logarithmic(self) -> NDArray[np.bool_]:
        """Which parameters are searched on a log scale, (parameter,)."""
        return np.array([p.scale == "log" for p in self.parameters], dtype=bool)

    def index(self, name: str) -> int:
        """Position of a parameter; raises ``ConfigError`` with the nearest name."""
        if name not in self.names:
            import difflib

            near = difflib.get_close_matches(name, self.names, 1, 0.0)
            raise ConfigError(f"rules: no parameter is called {name!r}; the nearest is {near[0]!r} (mmx rules list prints all)")
        return self.names.index(name)

    def vector(self, values: Mapping[str, float]) -> NDArray[np.float64]:
        """Defaults with some values replaced, (parameter,); raises ``ConfigError`` for unknown names and bad values."""
        vector = self.default
        for name, value in values.items():
            parameter = self.parameters[self.index(name)]
            if not parameter.low <= value <= parameter.high:
                raise ConfigError(
                    f"rules.{name}: {value:g} lies outside [{parameter.low:g}, {parameter.high:g}] ({parameter.unit})"
                )
            vector[self.index(name)] = value
        return vector

    def differing(self, vector: NDArray[np.float64]) -> dict[str, float]:
        """Values that differ from the defaults, by name."""
        pairs = zip(self.names, vector, self.default, strict=True)
        return {name: float(value) for name, value, default in pairs if value != default}

    def to_unit(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values, (..., parameter), as positions between the ends of their ranges, in [0, 1], on the scale of the search."""
        low, high, log = self.low, self.high, self.logarithmic
        base, top = np.where(log, _log(low), low), np.where(log, _log(high), high)
        unit: NDArray[np.float64] = (np.where(log, _log(vector), vector) - base) / (top - base)
        return unit

    def from_unit(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of ``to_unit``; values stay within their ranges."""
        low, high, log = self.low, self.high, self.logarithmic
        base, top = np.where(log, _log(low), low), np.where(log, _log(high), high)
        value = base + np.clip(unit, 0.0, 1.0) * (top - base)
        return np.clip(np.where(log, np.exp(np.where(log, value, 0.0)), value), low, high)

    def to_free(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained coordinates, (..., parameter); ends are moved inward by 1e-6 of the range."""
        unit = np.clip(self.to_unit(vector), EDGE, 1.0 - EDGE)
        return np.log(unit) - np.log1p(-unit)

    def from_free(self, free: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of ``to_free``."""
        return self.from_unit(1.0 / (1.0 + np.exp(-free)))


def make_space(rules: Sequence[tuple[str, Sequence[Parameter]]]) -> Space:
    """One space from the parameters of named rules; names become ``rule.parameter``."""
    named = [(f"{rule}.{parameter.name}", parameter) for rule, parameters in rules for parameter in parameters]
    names = tuple(name for name, _ in named)
    if len(set(names)) < len(names):
        raise ValueError("two parameters have one name")
    return Space(names, tuple(parameter for _, parameter in named))


def _log(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.maximum(value, 1e-300))
