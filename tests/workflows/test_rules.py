"""``mmx rules run`` from files to files, by itself and with the money of a recommendation."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mmx import read_config
from mmx.data.ads.history import AccountHistory
from mmx.errors import InputError
from mmx.mmm.posterior import Posterior
from mmx.mmm.quantities import effects, roas_draws
from mmx.mmm.store import read
from mmx.rules.advice import shared
from mmx.workflows.rules_from import incrementality

from ..command_line import UNTRACKED, Answer, mmx
from ..small_account import write_account
from .conftest import Made

PLANNED_DAY = "2023-10-05"  # In the recommendation's horizon.


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An account whose table ends the day before ``PLANNED_DAY``."""
    config = write_account(tmp_path_factory.mktemp("account"))
    table = pd.read_csv(config.with_suffix(".csv"))
    day = pd.to_datetime(table["day"] if "day" in table else table["Day"])
    shifted = day + (pd.Timestamp(PLANNED_DAY) - pd.Timedelta(days=1) - day.max())
    table["day" if "day" in table else "Day"] = shifted.dt.strftime("%Y-%m-%d")
    table.to_csv(config.with_suffix(".csv"), index=False)
    return config


@pytest.fixture(scope="module")
def ran(account: Path, project: Path) -> tuple[Path, Answer]:
    """One decision, logged to the project's MLflow."""
    out = account.parent / "small-rules-first"
    answer = mmx("rules", "run", account, "--out", out, cwd=project)
    assert answer.code == 0, answer.said
    return out, answer


def content_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "budgets.json").read_text(encoding="utf-8"))
    return content


def test_money_is_kept_to_the_cent_and_every_file_says_the_same(ran: tuple[Path, Answer]) -> None:
    folder, answer = ran
    found, table = content_of(folder), pd.read_csv(folder / "budgets.csv", dtype=str)
    assert found["date"] == PLANNED_DAY
    assert sum(Decimal(row["budget"]) for row in found["adsets"]) == Decimal(found["allocated"])
    assert Decimal(found["allocated"]) + Decimal(found["unallocated"]) == Decimal(found["money"])
    assert table["budget"].tolist() == [row["budget"] for row in found["adsets"]]
    assert table["rule"].tolist() == [row["rule"] for row in found["adsets"]]
    text = (folder / "budgets.md").read_text(encoding="utf-8")
    moved = [row for row in found["adsets"] if row["budget"] != row["budget_now"]]
    assert all(row["adset"] in text and row["adset"] in answer.said for row in moved)


def test_elasticities_come_from_the_account_or_from_the_prior(account: Path, ran: tuple[Path, Answer]) -> None:
    said = r"elasticities 0\.\d\d to \d\.\d\d, by the response model\. (Budgets moved by|No ad set's budget says)"
    assert re.search(said, " ".join(ran[1].said.split()))
    prior = mmx("rules", "run", account, "--dry-run", UNTRACKED, "rules.response=prior")
    assert "elasticities are the prior's, 0.6 with 0.35 on the log scale" in " ".join(prior.said.split())


def test_a_table_too_short_for_a_response_model_leaves_the_prior(account: Path) -> None:
    early = mmx("rules", "run", account, "--dry-run", UNTRACKED, "--date", "2023-07-24")
    assert early.code == 0 and "needs budgets and spend on at least 14 days" in " ".join(early.said.split())


def test_it_is_logged_with_what_it_decided(ran: tuple[Path, Answer], store: Any) -> None:
    runs = store.search_runs([store.get_experiment_by_name("mmx").experiment_id], "tags.`mmx.kind` = 'rules'")
    assert len(runs) == 1
    names = {artifact.path for artifact in store.list_artifacts(runs[0].info.run_id)}
    assert {"budgets.csv", "budgets.json"} <= names, names


def test_a_recommendation_gives_the_money_and_the_incrementality(account: Path, planned: Made, project: Path) -> None:
    """The channel's planned money of the day, and gates that know how uncertain the model's ROAS is."""
    own = ("rules.channel=search", "rules.channel_share=0.5", "rules.response=prior", UNTRACKED)
    out = account.parent / "joined"
    answer = mmx("rules", "run", account, *own, "--from", planned.folder, "--out", out, cwd=project)
    assert answer.code == 0, answer.said
    cells = [c for c in planned.plan["cells"] if c["channel"] == "search" and c["start"] <= PLANNED_DAY <= c["end"]]
    days = [(np.datetime64(c["end"]) - np.datetime64(c["start"])).astype(int) + 1 for c in cells]
    daily = 0.5 * sum(c["recommended"] / d for c, d in zip(cells, days, strict=True))
    found = content_of(out)
    assert float(found["money_before_rules"]) == pytest.approx(daily, abs=0.006)
    assert Decimal(found["allocated"]) + Decimal(found["unallocated"]) == Decimal(found["money"])
    said = " ".join(answer.said.split())
    assert "a day from the plan for search" in said and "of the platform's ROAS" in said
    abroad = mmx("rules", "run", account, *own, "ads.currency=USD", "--from", planned.folder, "--out", account.parent / "no")
    assert abroad.code == 2 and "counts in EUR and the account small in USD" in abroad.said.replace("account_5", "small")


@pytest.fixture(scope="module")
def posterior(fitted: Made) -> Posterior:
    return read(fitted.folder / "posterior.nc").posterior


def reported(first: str, last: str, roas: float = 2.0) -> AccountHistory:
    """An account of one ad set that spends 10 a day, with the same platform ROAS on every day; all days are mature."""
    dates = np.arange(first, str(np.datetime64(last) + np.timedelta64(1, "D")), dtype="datetime64[D]")
    metrics = np.zeros((len(dates), 1, 6))
    metrics[:, 0, 0], metrics[:, 0, 4] = 10.0, 10.0 * roas
    names, one = ("one",), np.zeros(1, dtype=bool)
    budget = np.full((len(dates), 1), 10.0)
    where = np.zeros(1, dtype=np.intp)
    return AccountHistory("small", "meta", "EUR", dates, names, names, where, metrics, budget, where, one, 0)


def test_incrementality_is_the_models_roas_over_the_platforms(posterior: Posterior) -> None:
    """Over the fit's whole window it is the reported ROAS; elsewhere that of the periods that both tables hold."""
    found = incrementality(posterior, "search", reported("2021-01-01", "2023-12-31"))
    roas = np.log(np.asarray(roas_draws(posterior, effects(posterior))["roas[search]"]) / 2.0)
    assert (found.log_mean, found.log_sd) == pytest.approx((roas.mean(), roas.std()), rel=1e-9)
    window = int(posterior.window.sum())
    assert f"over {window} of the fit's {window} periods" in found.over
    weeks = incrementality(posterior, "search", reported("2023-07-04", "2023-09-10"))  # a Tuesday to a Sunday: nine weeks
    assert f"over 9 of the fit's {window} periods" in weeks.over
    rows = np.isin(posterior.panel.dates, np.arange("2023-07-10", "2023-09-05", np.timedelta64(7, "D"), dtype="datetime64[D]"))
    assert rows.sum() == 9
    spend = posterior.panel.array("spend")[:, rows, posterior.panel.names("channel").index("search")].sum()
    assert weeks.spend_share == pytest.approx(9 * 70.0 / spend)
    later = incrementality(posterior, "search", reported("2024-01-01", "2024-02-01", roas=4.0))
    assert later.log_mean == pytest.approx(found.log_mean - np.log(2.0)) and "share no period" in later.over


def test_without_a_roas_there_is_no_incrementality(posterior: Posterior) -> None:
    index = replace(posterior, panel=replace(posterior.panel, target_kind="index"))
    with pytest.raises(InputError, match="is an index without money"):
        incrementality(index, "search", reported("2021-01-01", "2023-12-31"))
    with pytest.raises(InputError, match="shows spend 9100 and revenue 0"):
        incrementality(posterior, "search", reported("2021-01-01", "2023-12-31", roas=0.0))


def test_a_plan_that_does_not_hold_the_day_is_refused(account: Path, planned: Made, project: Path) -> None:
    wrong = mmx("rules", "run", account, UNTRACKED, "--from", planned.folder, "--out", account.parent / "none", cwd=project)
    assert wrong.code == 2 and "rules.channel" in wrong.said and not (account.parent / "none").exists()
    early = ("--date", "2023-08-30", "rules.channel=search", "--from", planned.folder)
    late = mmx("rules", "run", account, UNTRACKED, *early, "--out", account.parent / "none", cwd=project)
    assert late.code == 2 and "recommend for a horizon that holds the day" in " ".join(late.said.split())
    assert not (account.parent / "none").exists()


def test_a_platform_lays_its_rules_over_the_customers(account: Path, project: Path) -> None:
    """``configs/C.yaml``, and ``configs/C/P.yaml`` over it: parameters of rules, and weights of objectives."""
    base = yaml.safe_load(account.read_text(encoding="utf-8"))
    base["ads"]["files"] = [str(account.with_suffix(".csv"))]
    base["rules"] = {"response": "prior", "parameters": {"step_up": {"share": 0.2}, "step_down": {"share": 0.1}}}
    over = {"rules": {"parameters": {"step_up": {"share": 0.06}}}, "tune": {"objectives": {"roas": 2.0}}}
    for name, layer in {"acme.yaml": base, "acme/meta.yaml": over}.items():
        (project / "configs" / name).parent.mkdir(exist_ok=True)
        (project / "configs" / name).write_text(yaml.safe_dump(layer), encoding="utf-8")
    out = account.parent / "layered"
    answer = mmx("rules", "run", "--customer", "acme", "--platform", "meta", UNTRACKED, "--out", out, cwd=project)
    assert answer.code == 0, answer.said
    for row in content_of(out)["adsets"]:
        assert float(row["budget"]) <= 1.061 * float(row["budget_now"])
    settings = read_config(None, customer="acme", platform="meta")
    assert settings.rules.values == {"step_up.share": 0.06, "step_down.share": 0.1}
    assert settings.tune.objectives == {"profit": 1.0, "roas": 2.0}


def test_a_budget_that_moves_against_its_rule_says_why(account: Path, ran: tuple[Path, Answer]) -> None:
    """With much less money than budgets all that is decided is scaled down, raises too."""
    day = round(0.7 * sum(float(row["budget_now"]) for row in content_of(ran[0])["adsets"]), 2)
    out = account.parent / "short"
    answer = mmx("rules", "run", account, UNTRACKED, "--out", out, f"rules.daily_budget={day}", "rules.response=prior")
    assert answer.code == 0, answer.said
    rows = content_of(out)["adsets"]
    raised = {row["adset"] for row in rows if float(row["factor"]) > 1.0}
    assert raised and raised == {row["adset"] for row in rows if "; less all the same" in row["reason"]}
    assert all(float(row["budget"]) < float(row["budget_now"]) for row in rows)


@pytest.mark.parametrize(
    ("factor", "scale", "change", "bound", "said"),
    [
        (0.8, 1.4, 500, True, "; more all the same"),  # The largest step binds: it goes up against its rule even so.
        (0.8, 1.4, -500, False, ""),
        (0.8, 0.9, 500, True, ""),  # A minimum holds it up, and is named.
        (1.2, 0.7, -500, False, "; less all the same"),
        (1.2, 0.7, -500, True, ""),  # A cap is named.
        (1.2, 1.4, 500, False, ""),
    ],
)
def test_only_what_is_shared_out_is_said_so(factor: float, scale: float, change: int, bound: bool, said: str) -> None:
    sentence = shared(factor, scale, change, bound)
    assert sentence.startswith(said) and bool(sentence) == bool(said)
