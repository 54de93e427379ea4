"""Why no plan is allowed: the smallest set of constraints that cannot hold together.

Implicit hitting sets (Ignatiev, Previti, Liffiton and Marques-Silva 2015): every set of constraints whose removal makes the
rest possible must be hit by any conflict. The smallest set that hits all such sets found so far either is a conflict, and
then none is smaller, or it is possible, and then growing it as far as it stays possible yields one more set to hit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.feasible import ROUNDING
from mmx.decide.problem import Problem, Row
from mmx.decide.program import Program
from mmx.errors import ConflictError

FAR = 1e3  # Largest money of a cell, relative to the largest limit, that a plan may need when some limits are left out.
ABOVE = 10.0  # The same for a cell with a minimum commitment, closer because it multiplies the tolerance of a switch.
MET = 1e-7  # Relative slack within which a constraint counts as met.
ROUNDS = 2000  # Sets to hit after which an irreducible conflict is named instead of the smallest.


@dataclass(frozen=True)
class Constraint:
    """One constraint as it can be left out, in words.

    Attributes
    ----------
    words : str
    kind : {"low", "high", "minimum", "step", "row"}
    place : int
        Cell or row.
    """

    words: str
    kind: str
    place: int


def constraints(problem: Problem) -> tuple[Constraint, ...]:
    """All constraints of a problem that could be lifted; money below zero is never allowed and is none of them."""
    return tuple(_listed(problem))


def _listed(problem: Problem) -> Iterator[Constraint]:
    for i, row in enumerate(problem.rows):
        yield Constraint(_row_words(row), "row", i)
    for c, cell in enumerate(problem.cells):
        low, high = problem.low[c], problem.high[c]
        if low > 0:
            yield Constraint(f"{cell} at least {low:,.2f}", "low", c)
        yield Constraint(f"{cell} at most {high:,.2f}", "high", c)
        if problem.minimum is not None and problem.minimum[c] > 0:
            yield Constraint(f"{cell} 0 or at least {problem.minimum[c]:,.2f}", "minimum", c)
        if problem.step is not None and problem.step[c] > 0:
            yield Constraint(f"{cell} in steps of {problem.step[c]:,.2f}", "step", c)


def _row_words(row: Row) -> str:
    """A row's name, with its limits where it is a plain sum whose name does not say them."""
    if not np.all(row.weights == row.weights[0]) or any(letter.isdigit() for letter in row.name):
        return row.name
    limits = [f"{w} {v:,.2f}" for w, v in (("at least", row.low), ("at most", row.high)) if np.isfinite(v)]
    return f"{row.name} of {row.low:,.2f}" if row.low == row.high else f"{row.name} {' and '.join(limits)}"


def check(problem: Problem) -> None:
    """Raise if no plan is allowed.

    Raises
    ------
    ConflictError
        A DecisionError that names the smallest set of constraints that cannot hold together.
    """
    everything = constraints(problem)
    if _Lab(problem, everything).possible(range(len(everything))) is not None:
        return
    found, smallest = conflict(problem)
    words = tuple(everything[i].words for i in found)
    kind = "These cannot hold together, and no smaller set of them conflicts" if smallest else "These cannot hold together"
    raise ConflictError(f"no plan meets all constraints. {kind}: {'; '.join(words)}. Change or drop one of them", words)


def conflict(problem: Problem) -> tuple[tuple[int, ...], bool]:
    """Places in ``constraints(problem)`` of a smallest conflict, and whether it is proven smallest.

    The problem as a whole must be impossible.
    """
    lab = _Lab(problem, constraints(problem))
    to_hit: list[tuple[int, ...]] = []
    for _ in range(ROUNDS):
        chosen = _smallest_hitting(to_hit, len(lab.all))
        if lab.possible(chosen) is None:
            return chosen, True
        to_hit.append(lab.rest_of_grown(chosen))
    return _irreducible(lab), False


def _smallest_hitting(sets: list[tuple[int, ...]], count: int) -> tuple[int, ...]:
    if not sets:
        return ()
    program = Program()
    taken = program.variables(count, 0.0, 1.0, -1.0, whole=True)
    matrix = np.zeros((len(sets), count))
    for i, members in enumerate(sets):
        matrix[i, list(members)] = 1.0
    program.rows([(taken, matrix)], 1.0, np.inf)
    point = program.maximise().point
    assert point is not None  # every set has a member
    return tuple(int(i) for i in np.flatnonzero(point > 0.5))


def _irreducible(lab: _Lab) -> tuple[int, ...]:
    """Drop constraints one by one as long as the rest still conflicts."""
    kept = list(range(len(lab.all)))
    for i in range(len(lab.all)):
        without = [k for k in kept if k != i]
        if lab.possible(without) is None:
            kept = without
    return tuple(kept)


class _Lab:
    """Tries out subsets of the constraints of one problem, in units of its largest limit."""

    def __init__(self, problem: Problem, everything: tuple[Constraint, ...]) -> None:
        self.problem, self.all = problem, everything
        sizes = [np.abs(problem.low), np.abs(problem.high)]
        sizes += [np.abs(np.array([row.low, row.high])) / max(np.abs(row.weights).max(), 1e-300) for row in problem.rows]
        numbers = np.concatenate(sizes)
        self.unit = float(numbers[np.isfinite(numbers)].max(initial=0.0)) or 1.0

    def possible(self, chosen: tuple[int, ...] | range | list[int]) -> Floats | None:
        """A plan (cell,) that meets the chosen constraints; None if there is none."""
        return self._solve(set(chosen), set())

    def rest_of_grown(self, chosen: tuple[int, ...]) -> tuple[int, ...]:
        """Grow a possible set until nothing more can be added; what stays outside."""
        soft = set(range(len(self.all))) - set(chosen)
        plan = self._solve(set(chosen), soft)
        assert plan is not None  # the soft ones may all be violated
        kept = set(chosen) | {i for i in soft if self._met(self.all[i], plan)}
        for i in sorted(soft - kept):
            if self.possible([*kept, i]) is not None:
                kept.add(i)
        return tuple(sorted(set(range(len(self.all))) - kept))

    def _met(self, constraint: Constraint, plan: Floats) -> bool:
        low, high = self._limits(constraint)
        at = float(self._weights(constraint) @ plan)
        if constraint.kind == "step":
            times = at / low
            return bool(abs(times - np.round(times)) * low <= MET)
        if constraint.kind == "minimum":
            return at <= MET or at >= low - MET
        return low - MET <= at <= high + MET

    def _weights(self, constraint: Constraint) -> Floats:
        if constraint.kind != "row":
            one: Floats = np.eye(1, len(self.problem.cells), constraint.place)[0]
            return one
        weights = np.asarray(self.problem.rows[constraint.place].weights, dtype=float)
        scaled: Floats = weights / max(float(np.abs(weights).max()), 1e-300)
        return scaled

    def _limits(self, constraint: Constraint) -> tuple[float, float]:
        problem, c = self.problem, constraint.place
        if constraint.kind == "row":
            row = problem.rows[c]
            size = self.unit * max(float(np.abs(row.weights).max()), 1e-300)
            return row.low / size, row.high / size
        if constraint.kind == "high":
            return -np.inf, float(problem.high[c]) / self.unit
        given = {"low": problem.low, "minimum": problem.minimum, "step": problem.step}[constraint.kind]
        assert given is not None
        return float(given[c]) / self.unit, np.inf

    def _most(self, cell: int) -> float:
        """Money of a cell above its minimum; far more than any limit would let its switch be nearly off."""
        return max(float(self.problem.high[cell]) / self.unit, ABOVE)

    def _solve(self, hard: set[int], soft: set[int]) -> Floats | None:
        """Meet the hard constraints and violate the soft ones by the smallest sum."""
        cells = len(self.problem.cells)
        program = Program()
        plan = program.variables(cells, 0.0, FAR)
        for i in sorted(hard | soft):
            constraint = self.all[i]
            low, high = self._limits(constraint)
            up, down = program.variables(2, 0.0, np.inf if i in soft else 0.0, -1.0)
            slack = (np.array([up, down]), np.array([[1.0, -1.0]]))
            money = (plan, self._weights(constraint)[None])
            if constraint.kind == "step":
                times = program.variables(1, 0.0, np.ceil(FAR / low), whole=True)
                program.rows([money, slack, (times, np.array([[-low]]))], 0.0, 0.0)
            elif constraint.kind == "minimum":
                on = program.variables(1, 0.0, 1.0, whole=True)
                program.rows([money, slack, (on, np.array([[-low]]))], 0.0, np.inf)
                program.rows([money, slack, (on, np.array([[-self._most(constraint.place)]]))], -np.inf, 0.0)
            else:
                edge = ROUNDING if low == high else 0.0
                program.rows([money, slack], low - edge, high + edge)
        found = program.maximise().point
        return None if found is None else found[:cells]
