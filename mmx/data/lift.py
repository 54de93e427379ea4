"""Lift tests held against the panel: which cells a test covers, what was spent there, and whether a model can use it.

All signs are *with the test less without it* (see ``mmx.spec.LiftTest``): ``delta_spend`` is positive where a test added spend,
then at most what was spent in its cells, and negative where it took spend away.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from mmx.config import Config
from mmx.data.cells import Bools, Findings, Floats, listed, plural
from mmx.data.lift_rows import KEY, read_lift_rows
from mmx.data.panel import Panel
from mmx.data.source import find, read_table
from mmx.errors import DataError
from mmx.lift_settings import LiftRow
from mmx.spec import LiftTest

ROUND_OFF = 1e-9  # What sums of decimal fractions may differ by.
Where = Callable[[str], str]


@dataclass(frozen=True)
class LiftTests:
    """Lift tests of a configuration, checked.

    Attributes
    ----------
    config : Config
        The configuration with its tests as rows, so that it needs no other file.
    notes : tuple of str
        What a reader should know, one sentence each.
    source : str or None
        Path of the file that they came from.
    sha256 : str or None
        Digest of its bytes.
    """

    config: Config
    notes: tuple[str, ...] = ()
    source: str | None = None
    sha256: str | None = None

    @property
    def tests(self) -> tuple[LiftTest, ...]:
        """The tests, with value and standard error."""
        return self.config.spec.lift_tests


def with_lift_tests(config: Config, panel: Panel) -> Config:
    """Read the lift tests that a configuration names and hold them against the panel.

    Parameters
    ----------
    config : Config
    panel : Panel
        Of ``mmx.load(config)``.

    Returns
    -------
    Config
        With ``model.lift_tests`` as rows; the same configuration where it has none. ``config.spec`` then holds the tests.

    Raises
    ------
    DataError
        With every problem: row and column, what came, what was expected, remedy.
    """
    return read_lift_tests(config, panel).config


def read_lift_tests(config: Config, panel: Panel) -> LiftTests:
    """Return the lift tests of a configuration with their notes and provenance; see ``with_lift_tests``."""
    named = config.model.lift_tests
    findings = Findings()
    if isinstance(named, str):
        path = find(named, KEY, "table of lift tests", f"Correct {KEY}")
        table = read_table(path, "one row per test and channel")
        findings.problems.extend(table.problems)
        numbered = read_lift_rows(table, findings)
        rows = tuple(row for _, row in numbered)
        source, digest = str(path.resolve()), table.sha256
        places: list[Where] = [lambda key, line=line: f"row {line}, column {key!r}" for line, _ in numbered]  # type: ignore[misc]
    else:
        rows, source, digest = named, None, None
        places = [lambda key, i=i: f"{KEY}.{i}.{key}" for i in range(len(rows))]  # type: ignore[misc]
    for row, where in zip(rows, places, strict=True):
        _check(row, where, config, panel, findings)
    _check_names(rows, places, findings)
    if findings.problems:
        what = f"the lift tests of {source or KEY} cannot be used: {plural(len(findings.problems), 'problem')}"
        raise DataError(what, findings.problems)
    _note_overlaps(rows, panel, findings)
    model = config.model.model_copy(update={"lift_tests": tuple(map(_stated, rows))})
    return LiftTests(config.model_copy(update={"model": model}), tuple(findings.notes), source, digest)


def cells_of(test: LiftTest | LiftRow, panel: Panel) -> Bools:
    """Return which cells (time, geo) a test covers: all periods that its days touch."""
    starts = panel.dates
    ends = _ends(panel)
    periods = (ends >= np.datetime64(test.start)) & (starts <= np.datetime64(test.end))
    geos = [not test.geos or geo in test.geos for geo in panel.names("geo")]
    covered: Bools = periods[:, None] & np.array(geos)
    return covered


def delta_of(test: LiftTest | LiftRow, panel: Panel) -> float:
    """Return the spend with the test less that without it: as given, or the whole spend of its cells."""
    if test.delta_spend is not None:
        return test.delta_spend
    return float(_spend(test, panel)[cells_of(test, panel)].sum())


def follows_spend(delta: float, total: float) -> bool:
    """Whether the exposure that a test moved follows the spend of its cells.

    It does unless the test took away more than it left: what is left then says little of the pattern of what is missing, which
    is taken from the channel's other periods instead.
    """
    return total > 0 and -delta <= total


def _ends(panel: Panel) -> np.ndarray:
    """Last day of each period, (time,)."""
    starts = panel.dates
    if panel.frequency == "monthly" and (starts[-1] - starts[-1].astype("datetime64[M]")).astype(int) == 0:
        after = (starts[-1].astype("datetime64[M]") + 1).astype("datetime64[D]")
    else:
        after = starts[-1] + (starts[-1] - starts[-2])
    return np.append(starts[1:], after) - np.timedelta64(1, "D")


def _spend(test: LiftTest | LiftRow, panel: Panel) -> Floats:
    """Spend of the test's channel, (time, geo)."""
    spend: Floats = panel.array("spend")[:, :, panel.names("channel").index(test.channel)].T
    return spend


def _stated(row: LiftRow) -> LiftRow:
    """Return a row with its value and standard error instead of an interval."""
    return LiftRow.model_validate(row.as_test().model_dump())


def _nearest(name: str, known: Sequence[str]) -> str:
    folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f"Did you mean {folded[near[0]]!r}?" if near else f"There are {listed([repr(k) for k in known], 12)}."


def _check(row: LiftRow, where: Where, config: Config, panel: Panel, findings: Findings) -> None:
    """Refuse a test that says nothing about the panel; all but the last two steps can fail together."""
    before = len(findings.problems)
    _check_channel(row, where, config, panel, findings)
    _check_geos(row, where, config, panel, findings)
    if row.metric == "roas" and panel.target_kind == "index":
        came = "metric is roas, and the KPI is an index, which has no money value"
        findings.refuse(where("metric"), came, "metric: kpi", "Give what the test brought in units of the KPI.")
    if len(findings.problems) == before and _check_days(row, where, config, panel, findings):
        _check_spend(row, where, panel, findings)


def _check_channel(row: LiftRow, where: Where, config: Config, panel: Panel, findings: Findings) -> None:
    at, name = where("channel"), row.channel
    if name in config.data.organic:
        findings.refuse(at, f"{name!r} is an organic medium, without spend", "a paid channel", "Take this test out.")
    elif name not in config.data.channels:
        findings.refuse(at, f"there is no channel {name!r}", "a name in data.channels", _nearest(name, [*config.data.channels]))
    elif name not in panel.names("channel"):
        came = f"the policy silent_channel: drop has left {name!r} out, which never spends inside the window"
        findings.refuse(at, came, "a channel with spend", "Take this test out, or widen data.window.")
    elif config.model.lift_tests_as == "prior":
        kind = (config.data.channels[name].priors or config.model.priors).kind
        if kind != "roas":
            came = f"model.lift_tests_as: prior updates priors of kind roas, and that of {name!r} is of kind {kind}"
            findings.refuse(at, came, "a prior of kind roas", f"Give {name!r} one, or use lift_tests_as: likelihood.")


def _check_geos(row: LiftRow, where: Where, config: Config, panel: Panel, findings: Findings) -> None:
    if row.geos and config.data.geo is None:
        came = f"it names {listed(row.geos)}, and the table is national"
        remedy = "Leave geos empty and scale value and delta_spend to the nation, or give a table by geo (data.geo)."
        findings.refuse(where("geos"), came, "no geos", remedy)
        return
    for geo in row.geos:
        if geo not in panel.names("geo"):
            findings.refuse(where("geos"), f"there is no geo {geo!r}", "geos of the table", _nearest(geo, panel.names("geo")))


def _check_days(row: LiftRow, where: Where, config: Config, panel: Panel, findings: Findings) -> bool:
    """Refuse or note how a test lies to the periods of the panel; whether it can be used."""
    starts, ends = panel.dates, _ends(panel)
    outside = [
        (key, day) for key, day in (("start", row.start), ("end", row.end)) if not starts[0] <= np.datetime64(day) <= ends[-1]
    ]
    for key, day in outside:
        came = f"{day} lies outside the data, {starts[0]} to {ends[-1]}"
        findings.refuse(where(key), came, "a day of the table", "Correct it, or take this test out.")
    if outside:
        return False
    periods = cells_of(row, panel).any(axis=1)
    inside = panel.window
    window = f"{starts[inside][0]} to {ends[inside][-1]}"
    multiplicative = config.model.likelihood == "lognormal" or config.model.link == "log"
    if not (periods & inside).any() or (multiplicative and (periods & ~inside).any()):
        why = "of which a multiplicative effect is a share" if (periods & inside).any() else "which is all that a fit sees"
        came = f"{row.start} to {row.end} does not lie in the KPI window, {window}, {why}"
        findings.refuse(where("start"), came, "a test inside the KPI window", "Take this test out, or widen data.window.")
        return False
    name = f"Lift test {row.test!r} of {row.channel}"
    first, last = starts[periods][0], ends[periods][-1]
    if first != np.datetime64(row.start) or last != np.datetime64(row.end):
        findings.notes.append(
            f"{name} begins or ends inside a period: {plural(int(periods.sum()), 'whole period')}, {first} to {last}, "
            "in place of its days."
        )
    if (periods & ~inside).any() and np.flatnonzero(periods)[-1] > np.flatnonzero(inside)[-1]:
        findings.notes.append(f"{name} ends after the KPI window ({window}): a fit does not use it.")
    return True


def _check_spend(row: LiftRow, where: Where, panel: Panel, findings: Findings) -> None:
    cells, spend = cells_of(row, panel), _spend(row, panel)
    total, delta, at = float(spend[cells].sum()), row.delta_spend, where("delta_spend")
    money = panel.currency or "money"
    exposure = panel.array("exposure")[:, :, panel.names("channel").index(row.channel)].T
    if delta is None and total <= 0:
        came = f"it is empty, and {row.channel!r} spent nothing in the test's periods and geos"
        remedy = "If the test switched the channel off, give the spend that it took away, as a negative number."
        findings.refuse(at, came, "spend in the test's cells, or delta_spend", remedy)
    elif delta is not None and delta > total * (1 + ROUND_OFF):
        came = f"the test added {delta:g} {money}, and only {total:g} were spent in its periods and geos"
        remedy = "Correct it or the dates and geos; spend that a test took away is a negative number."
        findings.refuse(at, came, f"at most {total:g}", remedy)
    elif follows_spend(delta or total, total):
        if exposure[cells].sum() <= 0:
            came = f"{row.channel!r} has spend and no exposure in the test's periods and geos"
            findings.refuse(at, came, "exposure where there is spend", "Correct the table, or take this test out.")
    else:
        usual = spend[~cells.any(axis=1)][:, cells.any(axis=0)]
        if row.channel in panel.names("frequency"):
            came = f"the test took away {-(delta or 0):g} of {row.channel!r}, which has reach and frequency: those that "
            came += "it would have had are not known"
            findings.refuse(at, came, "a channel with one exposure", "Give impressions as its exposure, or take this test out.")
        elif not usual.sum() > 0:
            came = f"{row.channel!r} spends nothing in these geos outside the test: what the missing spend buys is not known"
            findings.refuse(at, came, "spend in other periods", "Take this test out, or give more of the channel's history.")


def _check_names(rows: Sequence[LiftRow], places: Sequence[Where], findings: Findings) -> None:
    seen: dict[tuple[str, str], str] = {}
    for row, where in zip(rows, places, strict=True):
        key = (row.test, row.channel)
        if key in seen:
            came = f"the test {row.test!r} of {row.channel!r} stands above already ({seen[key]})"
            findings.refuse(where("test"), came, "each test of a channel once", "Give it another name, or delete one.")
        seen.setdefault(key, where("test"))


def _note_overlaps(rows: Sequence[LiftRow], panel: Panel, findings: Findings) -> None:
    for a, b in combinations(rows, 2):
        if a.channel == b.channel and (cells_of(a, panel) & cells_of(b, panel)).any():
            findings.notes.append(
                f"Lift tests {a.test!r} and {b.test!r} of {a.channel} overlap: they count as independent, which they are only "
                "if they do not share their measurement."
            )


def name_of(source: str | None) -> str:
    """Return the file's name, or the setting where the tests stand in the configuration itself."""
    return KEY if source is None else Path(source).name
