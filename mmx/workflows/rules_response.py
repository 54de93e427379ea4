"""What daily rules know of an account's elasticities: the posterior of its response model, or the prior."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmx.errors import DataError
from mmx.rules.account import Log
from mmx.rules.response.fit import fit
from mmx.rules.response.quantities import elasticity_moments
from mmx.rules.response.settings import ResponseSettings

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.schema import Config
    from mmx.workflows.journal import Journal

LONGEST = 182  # Days that a response model of one decision is fitted on, the last ones.


def learned_elasticities(config: Config, history: AccountHistory, journal: Journal) -> tuple[Log | None, str]:
    """Mean and standard deviation of every ad set's elasticity, and a sentence on what they rest on.

    Where ``rules.response`` is ``prior``, the table is too short, or the posterior cannot be used, there are none: rules take
    the prior ``rules.elasticity``, and the sentence says why.
    """
    prior = config.rules.elasticity
    told = f"elasticities are the prior's, {prior.median:g} with {prior.log_sd:g} on the log scale"
    if config.rules.response == "prior":
        return None, told
    with journal.stage("response", label="fit the response model") as stage:
        try:
            model = fit(
                history.last(LONGEST), replace(ResponseSettings(), method=config.tune.response.method), seed=config.seed
            )
        except DataError as error:
            stage.warn(f"{told}: {error}")
            return None, told
        failed = [f"{v.part}: {reason}" for v in model.verdicts for reason in v.reasons if not v.passed]
        if failed:
            stage.warn(f"{told}: the response model's posterior cannot be used ({'; '.join(failed)})")
            return None, told
        found = Log(*elasticity_moments(model))
        least, most = found.mean.min(), found.mean.max()
        sentence = f"elasticities {least:.2f} to {most:.2f}, by the response model. {model.identification.sentence}"
        stage.decide(sentence)
        return found, sentence
