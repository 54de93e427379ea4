"""What lift tests bring to a model, for a reader: the tests themselves, and the prior on ROAS that they imply."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmx.data.cells import listed, plural
from mmx.data.checks import CheckResult, money_word
from mmx.data.lift import LiftTests, cells_of, delta_of, name_of
from mmx.data.panel import Panel
from mmx.mmm.lift_prior import Pooled, measured, pooled, updated
from mmx.spec import EffectPrior, LiftTest

Z95 = 1.6448536269514722  # standard normal quantile of 0.95


def lift_checks(tests: LiftTests, panel: Panel) -> list[CheckResult]:
    """Evidence of the checks of lift tests; none where there are no tests.

    Returns
    -------
    list of CheckResult
        The tests by what they say of ROAS, and each tested channel's prior with and without them. An index has no ROAS.
    """
    if not tests.tests:
        return []
    table = pd.DataFrame([_described(test, panel) for test in tests.tests])
    way = tests.config.model.lift_tests_as
    text = f"{plural(len(table), 'test')} from {name_of(tests.source)}, used as {way}; se with its inflation. "
    text += " ".join(tests.notes) or "All lie inside the KPI window, in whole periods."
    results = [CheckResult("lift tests", None, table, text)]
    return results if panel.target_kind == "index" else [*results, _priors(tests, panel)]


def used_tests(tests: LiftTests, panel: Panel, train: npt.NDArray[np.bool_]) -> dict[str, Any] | None:
    """Return the tests of a fit for its summary: how they were used, from which file, and whether each counted.

    Parameters
    ----------
    tests : LiftTests
    panel : Panel
    train : array of bool, (time,)
        Training rows; a test that ended after the last of them did not count.
    """
    if not tests.tests:
        return None
    last = int(np.flatnonzero(train)[-1])
    rows = [
        {**test.model_dump(mode="json"), "used": bool(np.flatnonzero(cells_of(test, panel).any(axis=1))[-1] <= last)}
        for test in tests.tests
    ]
    return {"as": tests.config.model.lift_tests_as, "source": tests.source, "sha256": tests.sha256, "tests": rows}


def _described(test: LiftTest, panel: Panel) -> dict[str, Any]:
    cells = cells_of(test, panel)
    row: dict[str, Any] = {
        "test": test.test,
        "channel": test.channel,
        "start": str(test.start),
        "end": str(test.end),
        "geos": "all" if not test.geos else listed(test.geos),
        "periods": int(cells.any(axis=1).sum()),
        "delta_spend": delta_of(test, panel),
        "metric": test.metric,
        "value": test.value,
        "se": test.se * test.inflation,
    }
    return row if panel.target_kind == "index" else row | dict(zip(("roas", "roas_se"), measured(test, panel), strict=True))


def _priors(tests: LiftTests, panel: Panel) -> CheckResult:
    media = tests.config.spec_without_tests.channels
    found: dict[str, Pooled] = {}
    records = []
    for name in dict.fromkeys(test.channel for test in tests.tests):
        own = [test for test in tests.tests if test.channel == name]
        prior, found[name] = media[name].priors, pooled(own, panel)
        record: dict[str, Any] = {"channel": name, "tests": len(own), "roas": found[name].roas, "se": found[name].se}
        if prior.kind == "roas":
            record |= _quantiles("prior", prior) | _quantiles("updated", updated(prior, found[name]))
        records.append(record)
    rare = tests.config.checks.test_agreement
    odd = [f"{name} (p = {p.agreement:.2g})" for name, p in found.items() if p.agreement is not None and p.agreement < rare]
    text = (
        f"In {money_word(panel)} per {money_word(panel)}, tests pooled by precision; the prior on ROAS as it stands and "
        "updated by them, as model.lift_tests_as: prior takes it: that assumes that their ROAS is that of the whole window. "
    )
    text += f"Tests disagree by more than their errors: {', '.join(odd)}; raise their inflation." if odd else ""
    return CheckResult("ROAS from lift tests", not odd, pd.DataFrame(records), text.strip())


def _quantiles(label: str, prior: EffectPrior) -> dict[str, float]:
    location, scale = prior.location_scale()
    at = {"q05": location - Z95 * scale, "median": location, "q95": location + Z95 * scale}
    return {f"{label}_{name}": math.exp(x) if prior.family == "lognormal" else x for name, x in at.items()}
