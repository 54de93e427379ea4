"""Check a configuration and its data before any model: the contract, the pre-model checks, drift from an earlier fit."""

from __future__ import annotations

from pathlib import Path

from mmx.data.checks import CheckResult, precheck
from mmx.data.drift import drift
from mmx.data.lift import read_lift_tests
from mmx.data.load import load
from mmx.mmm.lift_check import lift_checks
from mmx.mmm.prior_predictive import national_media, prior_predictive
from mmx.mmm.store import read
from mmx.schema import Config
from mmx.workflows.fit import POSTERIOR
from mmx.workflows.recommend import fit_folder


def run_check(config: Config, *, data: str | Path | None = None, against: str | Path | None = None) -> list[CheckResult]:
    """Load the data and run all checks.

    Parameters
    ----------
    config : Config
    data : path, optional
        Table to use instead of ``data.path``.
    against : path or run id, optional
        An earlier fit whose data these are compared with.

    Raises
    ------
    DataError
        If the data break the contract, or lift tests do not fit them, with every problem.
    """
    earlier = read(fit_folder(against) / POSTERIOR).panel if against is not None else None
    panel = load(config, data)
    tests = read_lift_tests(config, panel)
    results = [*precheck(panel, config), *lift_checks(tests, panel)]
    results += [found for found in (national_media(panel),) if found is not None]
    results.append(prior_predictive(tests.config.spec, panel, seed=config.seed))
    return results if earlier is None else [*results, *drift(earlier, panel)]
