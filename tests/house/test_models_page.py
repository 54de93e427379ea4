"""``configs/MODELS.md`` names everything that a configuration may say about a model."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from mmx import spec
from mmx.response.registry import ADSTOCKS, SATURATIONS

PAGE = (Path(__file__).parents[2] / "configs" / "MODELS.md").read_text(encoding="utf-8")
KINDS = [kind for kind in get_args(spec.EffectKind) if kind != "total"]  # A total is what contributions make together.


@pytest.mark.parametrize(
    "names", [ADSTOCKS, SATURATIONS, get_args(spec.Likelihood), KINDS], ids=["adstock", "saturation", "likelihood", "prior"]
)
def test_every_name_has_a_row(names: list[str]) -> None:
    assert names
    rows = {line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("| `")}
    assert {f"`{name}`" for name in names} <= rows


def test_every_family_names_its_parameters() -> None:
    rows = {line.split("|")[1].strip(" `"): line for line in PAGE.splitlines() if line.startswith("| `")}
    for families in (ADSTOCKS, SATURATIONS):
        for name, family in families.items():
            assert all(f"`{p}" in rows[name] for p in family.parameters) or name == "none", name


@pytest.mark.parametrize("name", get_args(spec.Effectiveness))
def test_effectiveness_is_explained(name: str) -> None:
    assert f"`{name}`" in PAGE
