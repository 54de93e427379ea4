"""What a rule is: a name, a purpose, parameters with ranges, and a small pure function of a view of the account.

A *decider* says for which ad sets it decides, and by which factor their budgets move; the first one in the order of the library
decides. A *modifier* changes the factor that was decided. An *account* rule changes the money of the day. A *guardrail* gives
the least and the most budget of every ad set. An *edit* rule says which of the moves are made at all, and *evidence* how sure
the view is. All functions take arrays over ad sets and scalars of the account, and are traced by JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from mmx.rules.parameters import Parameter

Kind = Literal["decider", "modifier", "account", "guardrail", "evidence", "edit"]

ACTIVE, FROZEN, PROBING = 0, 1, 2
KEEP = -1


class View(dict[str, Any]):
    """What a rule sees: features, evidence, state and account by name, also as attributes; arrays over ad sets or scalars."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Verdict(NamedTuple):
    """What a decider says.

    Attributes
    ----------
    when : array of bool, (ad set,)
        Ad sets for which it decides.
    factor : array or float
        Budget tomorrow over the budget that the decision starts from: today's, and of a frozen ad set that before the freeze.
    fixed : bool
        Whether the budget is to stay exactly as it is, whatever money is left over.
    phase : int
        The phase that it puts an ad set in: ``ACTIVE``, ``FROZEN``, ``PROBING``, or ``KEEP``.
    """

    when: Any
    factor: Any
    fixed: bool = False
    phase: int = KEEP


class Bounds(NamedTuple):
    """What a guardrail says: least and most budget, (ad set,), in currency per day."""

    lower: Any
    upper: Any


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes
    ----------
    name, group, purpose : str
        Name in the library, the group it is listed in, and one sentence of what it is for.
    kind : {"decider", "modifier", "account", "guardrail", "evidence", "edit"}
        What its function returns: a ``Verdict``; the changed factor, (ad set,), from ``(view, p, factor)``; the changed money
        of the day from ``(view, p, money)``; ``Bounds``; nothing, as ``mmx.rules.view`` reads the parameters of evidence; the
        moves that are made, (ad set,) of bool, from ``(view, p, moves)``.
    parameters : tuple of Parameter
        What its function reads as ``p.name``.
    function : callable
        ``(view, p)``, or with the factor or the money as a third argument.
    reason : str
        A sentence with the names of view and parameters in braces.
    """

    name: str
    group: str
    kind: Kind
    purpose: str
    function: Callable[..., Any]
    parameters: tuple[Parameter, ...] = ()
    reason: str = ""
