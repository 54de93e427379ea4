"""A day's budgets as files: CSV, JSON and Markdown, the same numbers in all."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

from mmx.report import format as fmt
from mmx.rules.advice import AdSetAdvice, Advice

CSV, JSON, MARKDOWN = "budgets.csv", "budgets.json", "budgets.md"
FORMAT = 1


def write_advice_files(folder: Path, advice: Advice) -> list[str]:
    """Write ``budgets.csv``, ``budgets.json`` and ``budgets.md``; returns their names."""
    (folder / CSV).write_text(_csv(advice), encoding="utf-8")
    (folder / JSON).write_text(json.dumps(advice_content(advice), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / MARKDOWN).write_text(_markdown(advice), encoding="utf-8")
    return [CSV, JSON, MARKDOWN]


def cents(value: int) -> str:
    """Cents as a plain decimal number."""
    return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"


def advice_content(advice: Advice) -> dict[str, Any]:
    """Content of ``budgets.json``; money as decimal text, so that sums are exact."""
    return {
        "format": FORMAT,
        "account": advice.account,
        "platform": advice.platform,
        "currency": advice.currency,
        "date": advice.date,
        "money_before_rules": cents(advice.money_before),
        "money": cents(advice.money),
        "allocated": cents(sum(row.budget for row in advice.adsets)),
        "unallocated": cents(advice.unallocated),
        "account_rules": [{"rule": n, "factor": f, "reason": r} for n, f, r in advice.account_rules],
        "adsets": [_row(row) for row in advice.adsets],
    }


def _row(row: AdSetAdvice) -> dict[str, Any]:
    bound = [{"rule": name, "sentence": sentence} for name, sentence in row.bound_by]
    found = dataclasses.asdict(row) | {"budget_now": cents(row.budget_now), "budget": cents(row.budget), "bound_by": bound}
    return found | {"modifiers": list(row.modifiers)}


def _csv(advice: Advice) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("date", "campaign", "adset", "budget_now", "budget", "currency", "factor", "rule", "reason", "modifiers", "bound_by")
    )
    for row in advice.adsets:
        bound = "; ".join(f"{name}: {sentence}" for name, sentence in row.bound_by)
        writer.writerow(
            (
                advice.date, row.campaign, row.adset, cents(row.budget_now), cents(row.budget), advice.currency,
                f"{row.factor:.6g}", row.rule, row.reason, " ".join(row.modifiers), bound,
            )
        )  # fmt: skip
    return text.getvalue()


def _markdown(advice: Advice) -> str:
    lines = [f"# Budgets for {advice.date}: {fmt.markdown(advice.account)}", "", *(f"- {s}" for s in sentences(advice)), ""]
    lines += ["| Ad set | Now | Next | Rule | Why | Bound by |", "|---|--:|--:|---|---|---|"]
    for row in advice.adsets:
        bound = "; ".join(sentence for _, sentence in row.bound_by)
        cells = (row.adset, cents(row.budget_now), cents(row.budget), row.rule, row.reason, bound)
        lines.append("| " + " | ".join(fmt.markdown(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def sentences(advice: Advice) -> list[str]:
    """What is said of the account as a whole."""
    unit = f" {advice.currency}" if advice.currency else ""
    allocated = sum(row.budget for row in advice.adsets)
    out = [f"{cents(allocated)}{unit} of {cents(advice.money)}{unit} is allocated, {cents(advice.unallocated)}{unit} is not."]
    if advice.unallocated:
        out.append("What is not allocated has no taker: every ad set that could get more is at a limit named beside it.")
    out += [f"Account rule {name}: money x {factor:.3f}; {reason}." for name, factor, reason in advice.account_rules]
    return out
