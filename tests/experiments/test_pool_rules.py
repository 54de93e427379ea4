"""The launch script of a pool: step by step, and by its workflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmx.workflows import pool as workflow

from ..tuned_customers import QUICK_POOL, write_customers
from .test_scripts import script


def test_the_script_runs_with_and_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    module, made = script("pool_rules"), []
    pool = module.pool

    def once(*arguments: Any, **options: Any) -> Any:
        if not made:
            made.append(pool(*arguments, **options))
        return made[0]

    monkeypatch.setattr(module, "pool", once)
    monkeypatch.setattr(workflow, "pool", once)
    given = [*map(str, write_customers(tmp_path, ("north", "east"))), *QUICK_POOL, "pool.common.most=1", "tracking.uri=null"]
    before = sorted(tmp_path.rglob("*"))
    pooled = module.main([*given, "--allow-unconverged"])
    assert sorted(tmp_path.rglob("*")) == before
    assert "passed the gate" in capsys.readouterr().out and pooled.customers == ("north", "east")
    again = module.main([*given, "--out", "pooled", "--allow-unconverged"])
    assert np.array_equal(again.theta, pooled.theta)
    summary = json.loads((tmp_path / "pooled" / "summary.json").read_text(encoding="utf-8"))
    assert summary["headline"] in " ".join(capsys.readouterr().out.split())
