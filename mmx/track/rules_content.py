"""What a run of the rules says in MLflow: pure functions to ``(params, metrics, tags)``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmx.rules.advice import Advice

Record = tuple[dict[str, Any], dict[str, float], dict[str, str]]
CENTS = 100.0


def advice_record(advice: Advice, parameters: Mapping[str, float], notes: Sequence[str]) -> Record:
    """Params, metrics and tags of a day's decision: money, moves, and how often each rule decided and each guardrail bound."""
    rows = advice.adsets
    decided = Counter(row.rule for row in rows)
    bound = Counter(name for row in rows for name, _ in row.bound_by)
    moved = sum(abs(row.budget - row.budget_now) for row in rows)
    metrics = {
        "money": advice.money / CENTS,
        "unallocated": advice.unallocated / CENTS,
        "allocated": sum(row.budget for row in rows) / CENTS,
        "moved": moved / CENTS,
        "edits": float(sum(row.budget != row.budget_now for row in rows)),
        **{f"decided/{name}": float(count) for name, count in decided.items()},
        **{f"bound/{name}": float(count) for name, count in bound.items()},
    }
    params = {"date": advice.date, "account": advice.account, **parameters}
    tags = {
        "mmx.name": advice.account,
        "mmx.money": advice.currency,
        "mmx.decisions": "; ".join(notes),
        "mlflow.note.content": "\n".join(f"- {note}" for note in notes),
    }
    return params, metrics, {key: value for key, value in tags.items() if value}
