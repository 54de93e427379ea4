"""The launch script of a tuning, at tiny size on a simulated account: step by step, and by its workflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmx.workflows import tune as workflow

from ..small_account import QUICK, write_account
from .test_scripts import script


def test_the_script_runs_with_and_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    account, module, made = str(write_account(tmp_path)), script("tune_rules"), []
    prepare = module.prepare_backtest

    def once(*arguments: Any, **options: Any) -> Any:
        if not made:
            made.append(prepare(*arguments, **options))
        return made[0]

    monkeypatch.setattr(module, "prepare_backtest", once)
    monkeypatch.setattr(workflow, "prepare_backtest", once)
    before = sorted(tmp_path.rglob("*"))
    found, evidence = module.main([account, *QUICK])
    assert sorted(tmp_path.rglob("*")) == before
    said = capsys.readouterr().out
    for part in (evidence.headline, "24 of 24 trials", "fit the hold-out's judge", "rules:", "84 days of 4 ad sets"):
        assert part in said, part
    again, _ = module.main([account, *QUICK, "tracking.uri=null", "--out", "tuned", "--allow-unconverged"])
    assert np.array_equal(again.trials.vectors, found.trials.vectors)
    assert np.array_equal(again.vector, found.vector)
    summary = json.loads((tmp_path / "tuned" / "summary.json").read_text(encoding="utf-8"))
    assert summary["headline"] and "A replay of the hold-out's days" in capsys.readouterr().out
