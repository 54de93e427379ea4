"""What a tuning and its listed trials say in MLflow: pure functions to ``(params, metrics, tags)``.

Params of a study are its settings, and the tuned values as ``tuned/RULE.PARAMETER``, so that comparing two studies shows which
settings and which parameters differ; metrics are objectives, the verdict's interval, luck and claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmx.report import format as fmt
from mmx.track.content import Record, settings

if TYPE_CHECKING:
    from mmx.schema import Config

MAIN = (
    "name",
    "seed",
    "rules.margin",
    "rules.target_roas",
    "tune.engine",
    "tune.trials",
    "tune.multi",
    "tune.objectives.profit",
    "tune.backtest.folds",
    "tune.backtest.horizon",
    "tune.backtest.holdout",
    "tune.backtest.draws",
    "tune.screening.method",
    "tune.response.method",
)
HASHES = ("data_sha256", "config_sha256", "search_sha256", "lock_sha256", "git_commit")
NOTE_ROWS = 30


def tuning_record(summary: Mapping[str, Any], config: Config) -> Record:
    """Params, metrics and tags of a study.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json``.
    config : Config
    """
    verdict, luck, search = summary["verdict"], summary["luck"], summary["search"]
    params = {
        **settings(config, MAIN),
        "study": summary["study"],
        "constraints": ", ".join(search["constraints"]) or "none",
        "searched": len(search["searched"]),
        "starts": ", ".join(search["starts"]) or "defaults",
        **{f"tuned/{name}": values["tuned"] for name, values in summary["parameters"].items()},
    }
    metrics: dict[str, Any] = {
        "adopt": float(verdict["adopt"]),
        **{f"verdict/{key}": verdict[key] for key in ("mean", "low", "high", "probability")},
        "rests_on_prior": float(verdict["rests_on_prior"]),
        **{f"luck/{key}": value for key, value in luck.items()},
        **{f"replay/{key}": value for key, value in (summary["replay"] or {}).items()},
        "default/spend": summary["spend"]["default"],
        "winner/spend": summary["spend"]["winner"],
        "trials": float(search["trials"]),
        "feasible": float(search["feasible"]),
        "models_usable": float(sum(model["passed"] for model in summary["models"]) / len(summary["models"])),
    }
    for name, scores in summary["tuning"].items():
        metrics |= {f"default/{name}": scores["default"], f"winner/{name}": scores["winner"]}
    for name, judged in summary["hold_out"].items():
        metrics |= {
            f"judged/{name}": judged["mean"],
            f"judged_low/{name}": judged["low"],
            f"judged_high/{name}": judged["high"],
        }
        metrics[f"claimed/{name}"] = judged["claimed_by_tuning"]
    metrics |= {f"learned/{model['label']}": model["learned"] for model in summary["models"]}
    metrics |= {f"importance/{name}": share for name, share in search["importances"].items()}
    tags = {
        "mmx.name": summary["name"],
        "mmx.study": summary["study"],
        "mmx.storage": search["storage"],
        "mmx.currency": summary["currency"],
        "mmx.verdict": summary["headline"],
        "mmx.converged": "yes" if all(model["passed"] for model in summary["models"]) else "no",
        "mmx.decisions": "; ".join([*summary["notes"], search["screening"]]),
        **{name: summary.get(name) for name in HASHES},
        **{f"version.{name}": version for name, version in (summary.get("versions") or {}).items()},
        "mlflow.note.content": _note(summary),
    }
    known = {key: value for key, value in metrics.items() if value is not None}
    return params, known, {key: str(value) for key, value in tags.items() if value not in (None, "")}


def trial_record(listed: Mapping[str, Any], summary: Mapping[str, Any]) -> Record:
    """Params, metrics and tags of one listed trial of a study."""
    params = {**listed["parameters"], "number": listed["number"], "proposed_by": listed["proposed_by"]}
    metrics = {
        **{f"objective/{name}": value for name, value in listed["objectives"].items()},
        **{f"violation/{name}": value for name, value in listed["violations"].items()},
    }
    note = "A trial of the study above; its scores are means over the folds that tuning used, and flatter it."
    tags = {
        "mmx.name": summary["name"],
        "mmx.study": summary["study"],
        "mmx.roles": ", ".join(listed["roles"]),
        "mlflow.note.content": note,
    }
    return params, metrics, tags


def _note(summary: Mapping[str, Any]) -> str:
    lines = [f"**{fmt.markdown(summary['headline'])}**", "", *(f"- {fmt.markdown(text)}" for text in summary["basis"]), ""]
    lines += ["| Parameter | Default | Tuned |", "| --- | ---: | ---: |"]
    rows = list(summary["parameters"].items())
    lines += [f"| {fmt.markdown(n)} | {v['default']:.4g} | {v['tuned']:.4g} |" for n, v in rows[:NOTE_ROWS]]
    rest = len(rows) - NOTE_ROWS
    return "\n".join([*lines, *(["", f"and {rest} more, see parameters.yaml."] if rest > 0 else [])])
