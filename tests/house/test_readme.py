"""Every block of the README runs, in order, in one folder, as a reader would type it; only the sampler is shorter."""

import contextlib
import os
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from mmx import read_config, worlds
from mmx.errors import ConfigError

from ..command_line import mmx

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Lies over the shipped defaults where the blocks run: short chains, a gate that they pass, no store.
QUICK = {
    "sampler": {"chains": 2, "tune": 60, "draws": 60, "max_depth": 5},
    "gate": {"max_rhat": 1e6, "min_ess": 1e-6, "min_ebfmi": 1e-9, "max_divergences": 10**6},
    "tracking": {"uri": None},
}
LANGUAGES = {"sh", "python", "yaml", "text"}


class Block(NamedTuple):
    """A fenced block, and why it does not run here (empty when it does)."""

    language: str
    text: str
    kept_out: str


def blocks(text):
    """Fenced blocks in order; a comment ``not run in tests: REASON`` on the line above keeps one out."""
    pattern = r"(?:<!-- not run in tests: (.+?) -->\n)?```(\w*)\n(.*?)^```$"
    found = re.findall(pattern, text, flags=re.MULTILINE | re.DOTALL)
    return [Block(language, body, reason) for reason, language, body in found]


def run_line(line, folder):
    """One line of a shell block: ``mmx``, ``python SCRIPT`` or ``export``; nothing else may stand in the README."""
    words = shlex.split(line, comments=True)
    if not words:
        return
    if words[0] == "mmx":
        answer = mmx(*words[1:], cwd=folder)
        assert answer.code == 0, f"{line}\n{answer.said}"
    elif words[0] == "python" and (ROOT / words[1]).is_file():
        old = sys.argv
        try:
            sys.argv = words[1:]
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        finally:
            sys.argv = old
    elif words[0] == "export":
        name, _, value = words[1].partition("=")
        os.environ[name] = str(Path(value).expanduser())
    else:
        raise AssertionError(f"the tests cannot run {line!r}")


def run(block, folder):
    """Run one block as its language says."""
    if block.language == "sh":
        for line in block.text.splitlines():
            run_line(line, folder)
    elif block.language == "python":
        exec(compile(block.text, "README.md", "exec"), {"__name__": "readme"})
    elif block.language == "yaml":
        name = re.match(r"# (\S+\.yaml)\n", block.text)
        assert name, "the first line of a YAML block names its file"
        (folder / name[1]).write_text(block.text, encoding="utf-8")
        config = read_config(folder / name[1])
        worlds.like(config, seed=1).table.to_csv(folder / config.data.path, index=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty project with the shipped configurations, quick settings, and a home with the public data's stand-ins."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "configs" / "default.yaml").write_text(yaml.safe_dump(QUICK), encoding="utf-8")
    monkeypatch.setenv("MMX_CACHE_DIR", os.environ.get("MMX_CACHE_DIR", str(Path.home() / ".cache" / "mmx")))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MMX_DATA_DIR", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    public = tmp_path / "home" / "mmm-data"
    public.mkdir(parents=True)
    config = read_config("robyn_weekly")
    worlds.like(config, seed=1).table.to_csv(public / config.data.path, index=False)
    return tmp_path


def test_the_blocks_run_in_order(folder):
    for block in blocks(README):
        if not block.kept_out:
            run(block, folder)
    for out in ("fits/shop/report.md", "plans/shop/recommendation.xlsx", "standin.truth.json", "fits/standin", "fits/robyn"):
        assert (folder / out).exists(), out


def test_every_block_has_a_language_and_few_are_kept_out():
    found = blocks(README)
    assert README.count("\n```") == 2 * len(found)
    assert {b.language for b in found} <= LANGUAGES
    assert {b.language for b in found if not b.kept_out} == LANGUAGES
    assert [b.text.split()[0] for b in found if b.kept_out] == ["make"]


def test_a_wrong_block_fails(folder):
    for text, error in [
        ("```sh\nmmx fit nothing.yaml\n```\n", AssertionError),
        ("```sh\ncurl example\n```\n", AssertionError),
        ("```python\nimport mmx\nmmx.fitt\n```\n", AttributeError),
        ("```yaml\n# x.yaml\ndata: {datte: week}\n```\n", ConfigError),
    ]:
        (block,) = blocks(text)
        with pytest.raises(error):
            run(block, folder)


def test_the_make_targets_of_the_first_screen_exist():
    (first, *_) = blocks(README)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = re.findall(r"^make (\w+)", first.text, flags=re.MULTILINE)
    assert wanted == ["demo", "test"]
    for target in wanted:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_the_printed_table_is_of_the_demo_world():
    """Spend and true ROAS do not depend on the sampler; the posterior of the same table holds most of them."""
    simulated = worlds.simulate("clean", seed=1)
    (printed,) = [b.text for b in blocks(README) if b.language == "text"]
    rows = re.findall(r"^(\w+) +(\S+)([Mk]) +(\S+) \[(\S+), (\S+)\] +(\S+) ", printed, flags=re.MULTILINE)
    assert [row[0] for row in rows] == list(simulated.truth["roas"])
    for name, spend, unit, mean, low, high, true in rows:
        money = simulated.table[f"{name}_spend"].sum()
        assert f"{money / {'M': 1e6, 'k': 1e3}[unit]:.3g}" == f"{float(spend):.3g}"
        assert f"{simulated.truth['roas'][name]:.2f}" == true
        assert float(low) < float(mean) < float(high)
    inside = sum(float(low) <= float(true) <= float(high) for *_, low, high, true in rows)
    figure = ROOT / "experiments" / "truth.png"
    assert inside >= 4
    assert 5_000 < figure.stat().st_size < 100_000
    assert "experiments/truth.png" in README


def test_the_readme_is_short_and_its_links_lead_somewhere():
    assert len(README.splitlines()) < 200
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_public_data_sets_are_those_of_the_configurations():
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+\.csv)`", README, flags=re.MULTILINE)
    shipped = {p.stem for p in (ROOT / "configs").glob("*.yaml") if "\ndata:" in p.read_text()} - {"default", "demo"}
    assert {name for name, _ in rows} == shipped
    with contextlib.chdir(ROOT):
        assert dict(rows) == {name: read_config(name).data.path for name in shipped}


def refreshed(readme, printed):
    """The README with another demo's table in it."""
    return runpy.run_path(str(ROOT / "scripts" / "refresh_readme.py"), run_name="imported")["with_table"](readme, printed)


def test_the_printed_block_is_refreshed_from_the_demo():
    (shown,) = [b.text for b in blocks(README) if b.language == "text"]
    assert refreshed(README, f"- simulated\n{shown}The gain is KPI money.\n\nFiles: here\n") == README
    other = shown.replace("Converged", "NOT CONVERGED").replace("radio", "pigeon")
    assert "pigeon" in refreshed(README, other)
    with pytest.raises(ValueError, match="printed no table"):
        refreshed(README, "Error: there is no table\n")
    with pytest.raises(ValueError, match="0 blocks"):
        refreshed("# mmx\n", shown)
