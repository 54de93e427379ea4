from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmx.errors import InputError
from mmx.rules.engine import Engine
from mmx.tune.customers import narrowed, searched_optimum, weighted_gains

from ..rules.pooling.customers import pool_settings
from ..tuned_customers import SEARCHED, bowl_trials

SETTINGS = pool_settings().optimum
WEIGHTS = {"profit": 1.0}


def test_the_optimum_is_over_what_moved() -> None:
    trials = bowl_trials(list(SEARCHED), {"step_up.share": 0.8, "cooldown.days": -1.0}, 3)
    found = searched_optimum("c", trials, WEIGHTS, Engine().space, SETTINGS, 1)
    assert set(found.searched) == set(SEARCHED) and found.trials == len(trials)
    at = dict(zip(found.searched, found.optimum.point, strict=True))
    assert at["step_up.share"] == pytest.approx(0.8, abs=0.4) and at["cooldown.days"] == pytest.approx(-1.0, abs=0.4)


def test_gains_are_those_of_the_search() -> None:
    trials = bowl_trials(["step_up.share"], {"step_up.share": 0.8}, 3, trials=20)
    default = trials.by_fold[0].mean(axis=0)
    gains = weighted_gains(trials, {"profit": 2.0}, default)
    np.testing.assert_allclose(gains, 2.0 * (trials.by_fold[:, :, 0] / default[0] - 1.0))


REFUSED = {
    "other rules": (lambda t: replace(t, parameters=("odd.one", *t.parameters[1:])), r"other rules \(odd\.one\)"),
    "no defaults": (lambda t: replace(t, vectors=t.vectors * 0.999), "none of its trials is that of the defaults"),
    "two folds": (lambda t: replace(t, by_fold=t.by_fold[:, :2]), "in 2 folds; an optimum of 3 parameters needs"),
    "broken limits": (lambda t: replace(t, violations=np.ones((len(t), 1)), constraints=("edits",)), "0 trials keep"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_trials_that_say_too_little_are_refused(case: str) -> None:
    change, words = REFUSED[case]
    trials = change(bowl_trials(list(SEARCHED), {"step_up.share": 0.8}, 3, trials=30))
    with pytest.raises(InputError, match=words):
        searched_optimum("c", trials, WEIGHTS, Engine().space, SETTINGS, 1)


def test_a_narrowed_space_holds_its_defaults() -> None:
    space = Engine().space
    for low, high in ((-9.0, -8.0), (8.0, 9.0), (-0.1, 0.1)):
        ends = np.full(len(space), low), np.full(len(space), high)
        found = narrowed(space, space.names, *ends)
        assert (found.low < space.default).all() and (space.default < found.high).all()
        assert (found.low >= space.low).all() and (found.high <= space.high).all()
