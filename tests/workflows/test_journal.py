import datetime as dt
import io
import json
import time

import numpy as np
import pytest
from rich.console import Console

from mmx.errors import OutputError
from mmx.workflows.journal import Journal, read_journal

FIELDS = ["stage", "started", "seconds", "inputs", "rows", "outputs", "warnings", "decisions", "error"]


def screen(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=60, markup=False, highlight=False)


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "run.jsonl", quiet=True)


def test_a_stage_is_one_line_with_everything_it_was_told(journal, tmp_path):
    with journal.stage("load", inputs=[tmp_path / "shop.csv"]) as stage:
        stage.rows = np.int64(208)
        stage.outputs.append("panel")
        stage.warn("the last week is incomplete")
        stage.decide("missing spend was set to 0 in 3 rows")
        time.sleep(0.02)
    (line,) = (tmp_path / "run.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert list(record) == FIELDS
    assert record["inputs"] == [str(tmp_path / "shop.csv")]
    assert (record["stage"], record["rows"], record["outputs"], record["error"]) == ("load", 208, ["panel"], None)
    assert record["warnings"] == journal.warnings == ["the last week is incomplete"]
    assert record["decisions"] == journal.decisions == ["missing spend was set to 0 in 3 rows"]
    assert 0.02 <= record["seconds"] < 5
    started = dt.datetime.fromisoformat(record["started"])
    assert started.utcoffset() == dt.timedelta(0)
    assert dt.timedelta(0) <= dt.datetime.now(dt.UTC) - started < dt.timedelta(minutes=1)


def test_a_failed_stage_is_recorded_and_its_error_goes_on(journal, tmp_path):
    with pytest.raises(ValueError, match="no such column"), journal.stage("load"):
        raise ValueError("no such column")
    with pytest.raises(KeyboardInterrupt), journal.stage("sample"):
        raise KeyboardInterrupt
    assert [r["error"] for r in read_journal(tmp_path / "run.jsonl")] == ["no such column", "KeyboardInterrupt"]


def test_stages_before_the_file_exists_are_written_when_it_does(tmp_path):
    journal = Journal(quiet=True)
    with journal.stage("config"):
        pass
    (tmp_path / "partial").mkdir()
    journal.open(tmp_path / "partial" / "run.jsonl")
    with journal.stage("load"):
        pass
    (tmp_path / "partial").rename(tmp_path / "out")
    journal.open(tmp_path / "out" / "run.jsonl")
    with journal.stage("track"):
        pass
    assert [r["stage"] for r in read_journal(tmp_path / "out" / "run.jsonl")] == ["config", "load", "track"]


def test_a_killed_process_leaves_readable_lines(journal, tmp_path):
    with journal.stage("load"):
        pass
    with (tmp_path / "run.jsonl").open("a") as file:
        file.write('{"stage": "sam')
    assert [r["stage"] for r in read_journal(tmp_path / "run.jsonl")] == ["load"]


def test_text_of_any_kind_stays_on_one_line(journal, tmp_path):
    with journal.stage("größe") as stage:
        stage.warn("two\nlines [bold]and markup[/bold] \u2028")
    assert len((tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    assert read_journal(tmp_path / "run.jsonl")[0]["warnings"] == ["two\nlines [bold]and markup[/bold] \u2028"]


def test_a_journal_that_cannot_be_written_is_an_error_but_never_hides_one(tmp_path):
    journal = Journal(tmp_path / "run.jsonl", quiet=True)
    journal.path = tmp_path / "gone" / "run.jsonl"
    with pytest.raises(OutputError, match=r"run\.jsonl cannot be written"), journal.stage("load"):
        pass
    with pytest.raises(ValueError, match="the cause"), journal.stage("load"):
        raise ValueError("the cause")


def test_without_a_terminal_every_stage_is_a_plain_line(tmp_path):
    console = screen(terminal=False)
    journal = Journal(tmp_path / "run.jsonl", console=console)
    with journal.stage("load", label="Read [shop.csv]") as stage:
        stage.rows = 1234
        stage.update("never shown here")
        stage.decide("spend was set to 0")
        stage.warn("the last week is incomplete, " + "and this line is longer than the screen is wide")
    with pytest.raises(ValueError), journal.stage("sample"):
        raise ValueError("x")
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("Read [shop.csv]: 1,234 rows, 0.")
    assert lines[0].endswith(" s")
    assert lines[1] == "  spend was set to 0"
    assert lines[2] == "  warning: the last week is incomplete, and this line is longer than the screen is wide"
    assert lines[3].startswith("sample: 0.")
    assert lines[3].endswith("s, failed")
    assert len(lines) == 4


def test_on_a_terminal_a_running_stage_shows_what_it_does(tmp_path):
    console = screen(terminal=True)
    journal = Journal(tmp_path / "run.jsonl", console=console)
    with journal.stage("sample", label="Sample [4 chains]") as stage:
        stage.update("2,100 of 6,000 draws")
        time.sleep(0.15)
        with journal.stage("inner"):
            pass
    shown = console.file.getvalue()
    assert "Sample [4 chains]: 2,100 of 6,000 draws" in shown
    assert "0:00:0" in shown
    assert "Sample [4 chains]: 0." in shown
    assert [r["stage"] for r in read_journal(tmp_path / "run.jsonl")] == ["inner", "sample"]


def test_quiet_is_quiet(tmp_path, capfd):
    with Journal(tmp_path / "run.jsonl", quiet=True).stage("load") as stage:
        stage.warn("x")
    assert capfd.readouterr() == ("", "")
