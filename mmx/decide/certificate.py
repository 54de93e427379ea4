"""How good a plan is known to be: its own objective against a number that no allowed plan exceeds, both on all draws."""

from __future__ import annotations

from dataclasses import dataclass

CERTIFIED_GAP = 5e-3  # Relative gap from which on a bound is too far away to call the plan the best one.


@dataclass(frozen=True)
class Certificate:
    """A plan's objective and a bound on every plan's.

    Attributes
    ----------
    certified : bool
        Whether the bound is valid and within ``CERTIFIED_GAP`` of the plan.
    value : float
        The plan's objective; money, or a probability.
    bound : float or None
        No allowed plan has a higher objective; None where no such number is known.
    gap : float or None
        ``bound - value``, at least 0.
    relative_gap : float or None
        The gap over the plan's own KPI money (mean over draws), or over the objective itself where that is larger. For a
        probability the gap itself.
    method : str
        How plan and bound were found.
    reason : str
        Why the plan is not certified; empty if it is.
    """

    certified: bool
    value: float
    bound: float | None
    gap: float | None
    relative_gap: float | None
    method: str
    reason: str = ""


def certify(value: float, bound: float | None, worth: float, method: str, reason: str = "") -> Certificate:
    """Judge a plan by its bound.

    Parameters
    ----------
    value : float
        The plan's objective.
    bound : float or None
    worth : float
        What the gap is relative to, see ``Certificate.relative_gap``.
    method : str
    reason : str
        Why a plan is not certified whatever its gap; empty to let the gap decide.
    """
    if bound is None:
        return Certificate(False, value, None, None, None, method, reason)
    gap = max(bound - value, 0.0)
    scale = max(abs(value), worth)
    if not scale > 0:
        nothing = reason or ("" if gap == 0 else "the plan brings nothing that a gap could be compared with")
        return Certificate(not nothing, value, max(bound, value), gap, 0.0 if gap == 0 else None, method, nothing)
    relative = gap / scale
    if not reason and relative > CERTIFIED_GAP:
        reason = f"the bound is {100 * relative:.2g} % above the plan; at most {100 * CERTIFIED_GAP:.2g} % is called certified"
    return Certificate(not reason, value, max(bound, value), gap, relative, method, reason)
