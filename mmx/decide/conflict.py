"""Why no plan is allowed: the smallest set of constraints that cannot hold together.

A first conflict of which every part is needed comes from halving (QuickXplain, Junker 2004). Whether there is a smaller one:
implicit hitting sets (Ignatiev, Previti, Liffiton and Marques-Silva 2015). Every set of constraints whose removal makes the
rest possible must be hit by any conflict. The smallest set that hits all such sets found so far either is a conflict, and
then none is smaller, or it is possible, and then growing it as far as it stays possible yields one more set to hit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, eye_array

from mmx.data.panel import Floats
from mmx.decide.feasible import ROUNDING
from mmx.decide.problem import Index, Problem, Row
from mmx.decide.program import Program
from mmx.errors import ConflictError

FAR = 1e3  # Largest money of a cell, relative to the largest limit, that a plan may need when some limits are left out.
ABOVE = 10.0  # The same for a cell with a minimum commitment, closer because it multiplies the tolerance of a switch.
MET = 1e-7  # Relative slack within which a constraint counts as met.
CHECKS = 400  # Sets of constraints tried after which the first conflict is named though there may be a smaller one.


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
    known = tuple(sorted(_irreducible(lab, [], list(range(len(lab.all))), added=False)))
    to_hit: list[tuple[int, ...]] = []
    most = lab.checks + CHECKS
    while lab.checks < most:
        chosen = _smallest_hitting(to_hit, len(lab.all))
        if len(chosen) == len(known):
            return known, True
        if lab.possible(chosen) is None:
            return chosen, True
        to_hit.append(lab.rest_of_grown(chosen))
    return known, False


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


def _irreducible(lab: _Lab, base: list[int], rest: list[int], *, added: bool) -> list[int]:
    """The part of ``rest`` that conflicts with ``base``, all of it needed; ``added`` if the base grew since it was tried."""
    if added and lab.possible(base) is None:
        return []
    if len(rest) == 1:
        return rest
    first, second = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    late = _irreducible(lab, base + first, second, added=True)
    return late + _irreducible(lab, base + late, first, added=bool(late))


class _Lab:
    """Tries out subsets of the constraints of one problem, in units of its largest limit."""

    def __init__(self, problem: Problem, everything: tuple[Constraint, ...]) -> None:
        self.problem, self.all, self.checks = problem, everything, 0
        sizes = [np.abs(problem.low), np.abs(problem.high)]
        sizes += [np.abs(np.array([row.low, row.high])) / max(np.abs(row.weights).max(), 1e-300) for row in problem.rows]
        numbers = np.concatenate(sizes)
        self.unit = float(numbers[np.isfinite(numbers)].max(initial=0.0)) or 1.0
        self.weights = csr_array(np.array([self._weights(one) for one in everything]))
        self.low, self.high = np.array([self._limits(one) for one in everything]).reshape(-1, 2).T

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
        self.checks += 1
        cells = len(self.problem.cells)
        program = Program()
        plan = program.variables(cells, 0.0, FAR)
        chosen = np.array(sorted(hard | soft), dtype=np.intp)
        give = np.where(np.isin(chosen, list(soft)), np.inf, 0.0)
        plain = np.array([self.all[i].kind not in ("step", "minimum") for i in chosen], dtype=bool)
        if plain.any():
            own, free = chosen[plain], give[plain]
            up, down = (program.variables(len(own), 0.0, free, -1.0) for _ in range(2))
            slack = eye_array(len(own), format="csr")
            edge = np.where(self.low[own] == self.high[own], ROUNDING, 0.0)
            blocks = [(plan, self.weights[own]), (up, slack), (down, -slack)]
            program.rows(blocks, self.low[own] - edge, self.high[own] + edge)
        for i, free in zip(chosen[~plain], give[~plain], strict=True):
            self._discrete(program, plan, int(i), float(free))
        found = program.maximise().point
        return None if found is None else found[:cells]

    def _discrete(self, program: Program, plan: Index, place: int, free: float) -> None:
        """Add a step or a minimum commitment, with slack up to ``free``."""
        constraint, low = self.all[place], float(self.low[place])
        up, down = program.variables(2, 0.0, free, -1.0)
        slack = (np.array([up, down]), np.array([[1.0, -1.0]]))
        money = (plan, self.weights[[place]])
        if constraint.kind == "step":
            times = program.variables(1, 0.0, np.ceil(FAR / low), whole=True)
            program.rows([money, slack, (times, np.array([[-low]]))], 0.0, 0.0)
            return
        on = program.variables(1, 0.0, 1.0, whole=True)
        program.rows([money, slack, (on, np.array([[-low]]))], 0.0, np.inf)
        program.rows([money, slack, (on, np.array([[-self._most(constraint.place)]]))], -np.inf, 0.0)
