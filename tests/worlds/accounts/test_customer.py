import dataclasses

import numpy as np
import pytest

from mmx.errors import ConfigError
from mmx.worlds.accounts import COVARIATES, HETEROGENEITY, draw_customer, make_world
from mmx.worlds.accounts.customer import Customer

HIDDEN = ("saturation", "noise", "drift", "fatigue", "delay", "learning", "roas_spread")


def values(customer: Customer) -> dict[str, object]:
    fields = dataclasses.asdict(customer) | {"covariates": tuple(customer.covariates)}
    return {k: v for k, v in fields.items() if k != "number"}


def test_without_heterogeneity_all_customers_are_the_median_one():
    first, *others = (values(draw_customer(n, "none")) for n in range(5))
    assert all(other == first for other in others)
    assert (draw_customer(3, "none").covariates == 0.0).all()


def test_customers_are_drawn_by_number_and_seed():
    assert values(draw_customer(7)) == values(draw_customer(7))
    assert values(draw_customer(7)) != values(draw_customer(8))
    assert values(draw_customer(7, seed=2)) != values(draw_customer(7))


def test_a_large_heterogeneity_is_twice_the_real_one():
    for number in range(10):
        real, large = draw_customer(number, "real"), draw_customer(number, "large")
        assert large.covariates[:3] == pytest.approx(2.0 * real.covariates[:3])
        assert large.platform == real.platform and len(real.covariates) == len(COVARIATES)


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_differs_more_with_heterogeneity(name):
    spread = {kind: np.std([np.log(getattr(draw_customer(n, kind), name)) for n in range(60)]) for kind in HETEROGENEITY}
    assert spread["none"] < 1e-12 and 0.05 < spread["real"] < spread["large"]


def test_covariates_tell_a_part_of_what_is_hidden():
    people = [draw_customer(n) for n in range(400)]
    z = np.array([p.covariates for p in people])
    slower = np.corrcoef(z[:, 1], [np.log(p.delay) for p in people])[0, 1]
    assert 0.3 < slower < 0.9
    assert 0.2 < np.mean(z[:, 3]) < 0.4


def test_worlds_of_one_customer_differ_in_their_ad_sets():
    customer = draw_customer(2)
    first, second = (make_world(seed, customer=customer, days=40) for seed in (1, 2))
    assert first.customer is second.customer and first.truth.adsets == second.truth.adsets == customer.ad_sets
    assert not (first.truth.cpm == second.truth.cpm).any()


def test_an_unknown_heterogeneity_is_refused():
    with pytest.raises(ConfigError, match=r"'reel' came \(real\?\)"):
        draw_customer(1, "reel")
