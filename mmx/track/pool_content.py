"""What a pool says in MLflow: a pure function to ``(params, metrics, tags)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmx.report import format as fmt
from mmx.track.content import Record, settings

if TYPE_CHECKING:
    from mmx.schema import Config

MAIN = (
    "seed",
    "pool.sampler",
    "pool.tune",
    "pool.draws",
    "pool.common.share",
    "pool.common.most",
    "pool.priors.level",
    "pool.priors.spread",
)


def pooling_record(summary: Mapping[str, Any], config: Config) -> Record:
    """Params, metrics and tags of a pool.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json``.
    config : Config
    """
    customers, rows = summary["customers"], summary["parameters"]
    params = {**settings(config, MAIN), "customers": ", ".join(customers), "parameters": len(rows)}
    metrics = {"customers": float(len(customers)), "flat": float(len(summary["flat"]))}
    for name, row in rows.items():
        metrics |= {f"centre/{name}": row["centre"]["median"], f"spread/{name}": row["spread"]["median"]}
        metrics[f"weight/{name}"] = row["weight"]
    tags = {
        "mmx.name": summary["name"],
        "mmx.converged": "yes" if summary["converged"] else "no",
        "mmx.decisions": summary["headline"],
        "config_sha256": summary["config_sha256"],
        "lock_sha256": summary["lock_sha256"],
        "git_commit": summary["git_commit"],
        **{f"study.{name}": one["study"] for name, one in customers.items()},
        **{f"version.{name}": version for name, version in (summary.get("versions") or {}).items()},
        "mlflow.note.content": f"**{fmt.markdown(summary['headline'])}**",
    }
    return params, metrics, {key: str(value) for key, value in tags.items() if value not in (None, "")}
