"""How much an ad set's own numbers count against its campaign's: what every probability gate rests on."""

from __future__ import annotations

from mmx.rules.learned import Overdispersion, Pooling
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule


def _evidence() -> None:
    """Read by ``mmx.rules.view``."""


RULES = (
    Rule(
        "evidence",
        "evidence",
        "evidence",
        "Pools an ad set's ROAS towards its campaign's, and a campaign's towards the account's.",
        _evidence,
        (
            Parameter(
                "own_purchases",
                "purchases that the campaign's ROAS counts for",
                "purchases",
                0.5,
                60.0,
                3.9,
                "log",
                learned=Pooling("ad sets"),
            ),
            Parameter(
                "campaign_purchases",
                "purchases that the account's ROAS counts for",
                "purchases",
                0.5,
                100.0,
                11.0,
                "log",
                learned=Pooling("campaigns"),
            ),
            Parameter(
                "overdispersion",
                "variance of daily purchases over a Poisson's",
                "ratio",
                1.0,
                6.0,
                1.3,
                "log",
                learned=Overdispersion(),
            ),
        ),
    ),
)
