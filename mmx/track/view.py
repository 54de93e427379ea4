"""How MLflow's table of runs opens: the columns that tell runs apart, as a shared view on the experiment.

By default the table shows no metric and no setting. Where a version of MLflow does not know these tags, it opens as usual.
"""

from __future__ import annotations

import json

VIEW = "mmx"
METRICS = ("converged", "min_ess", "max_rhat", "fit/r2", "fit/wape", "gain", "probability_better", "seconds/total")
PARAMS = ("model.adstock", "model.saturation", "model.drift", "model.priors", "budget.total")
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
PAGE_QUERY = f"workflowType=machine_learning&viewStateShareKey={VIEW}"


def experiment_tags() -> dict[str, str]:
    """Return the tags of a new experiment: its kind, and the view of its runs."""
    columns = ["attributes.`Description`", *(f"metrics.`{name}`" for name in METRICS), *(f"params.`{name}`" for name in PARAMS)]
    return {"mlflow.experimentKind": "custom_model_development", VIEW_TAG: json.dumps({"selectedColumns": columns})}
