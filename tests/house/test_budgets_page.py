"""``configs/BUDGETS.md`` names everything that a budget question may say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from mmx import budget_settings

PAGE = (Path(__file__).parents[2] / "configs" / "BUDGETS.md").read_text(encoding="utf-8")
SETTINGS = (
    budget_settings.BudgetSettings,
    budget_settings.ChannelLimits,
    budget_settings.GroupLimits,
    budget_settings.Goal,
)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.__name__)
def test_every_key_is_explained(settings: type) -> None:
    said = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", PAGE.replace("\n", " ")))))
    assert set(settings.model_fields) <= said


def test_every_objective_has_a_row() -> None:
    rows = " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    assert {name for name in get_args(budget_settings.ObjectiveName) if f"`{name}`" not in rows} == set()
