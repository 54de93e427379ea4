"""What a run says: pure functions from a fit or a recommendation to ``(params, metrics, tags)``.

Params are settings, the main ones and those that differ from the defaults, so that comparing two runs shows what was
changed. Metrics are what came out, named ``quantity/channel`` so that MLflow draws one chart per quantity. Tags say which
data, code and versions; ``mlflow.note.content`` is the text on the run's page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mmx.config import default_text
from mmx.decide.recommendation import Recommendation
from mmx.report import format as fmt
from mmx.report import plan_words as words
from mmx.schema import Config

Record = tuple[dict[str, Any], dict[str, float], dict[str, str]]

MAIN = (
    "name",
    "seed",
    "data.path",
    "data.target",
    "data.target_kind",
    "data.window.start",
    "data.window.end",
    "model.adstock",
    "model.saturation",
    "model.trend",
    "model.seasonality.yearly",
    "model.drift",
    "model.priors",
    "sampler.name",
    "sampler.chains",
    "sampler.tune",
    "sampler.draws",
    "sampler.target_accept",
)
UNRELATED = ("tracking", "output")  # where things go says nothing about the fit
QUANTITIES = ("roas", "mroas", "roas_long", "mroas_long", "contribution", "contribution_share")
WITH_INTERVAL = ("roas", "mroas", "contribution_share")
NOTE_ROWS = 30  # a note is cut at MLflow's limit on tags; a cut table would not be drawn
DASH = "-"


def fit_record(summary: Mapping[str, Any], config: Config) -> Record:
    """Return params, metrics and tags of a fit.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json``.
    config : Config
        The resolved configuration.
    """
    metrics = {**_diagnostics(summary), **_channel_metrics(summary.get("channels") or {})}
    tags = {
        "mmx.name": config.name,
        "mmx.converged": _yes(summary.get("converged")),
        "mmx.reasons": "; ".join(summary.get("reasons") or ()),
        "mmx.currency": config.data.currency or "",
        "mmx.decisions": "; ".join([*(summary.get("notes") or ()), *(summary.get("decisions") or ())]),
        "data_sha256": summary.get("data_sha256"),
        "config_sha256": summary.get("config_sha256"),
        "weights_sha256": summary.get("weights_sha256"),
        "start_sha256": summary.get("start_sha256"),
        "fit_sha256": summary.get("fit_sha256"),
        "lock_sha256": summary.get("lock_sha256"),
        "git_commit": summary.get("git_commit"),
        "mlflow.note.content": fit_note(summary, config),
    }
    tags |= {f"version.{name}": version for name, version in (summary.get("versions") or {}).items()}
    return settings(config), metrics, {key: str(value) for key, value in tags.items() if value not in (None, "")}


def recommendation_record(rec: Recommendation) -> Record:
    """Return params, metrics and tags of a recommendation."""
    params: dict[str, Any] = {
        "fit": rec.fit_name,
        "objective": rec.objective,
        "goal": rec.goal,
        "budget.total": rec.total,
        "budget.horizon": rec.horizon,
        "budget.reference": rec.reference,
        "start": rec.start,
        "end": rec.end,
    }
    params |= {f"bounds.{name}": fmt.full_span(plan.low, plan.high) for name, plan in rec.channels.items()}
    found = rec.certificate
    known = {"gap": found.gap, "relative_gap": found.relative_gap, "shadow_price": rec.shadow_price}
    known |= {} if rec.turnover is None else {"turnover": rec.turnover.moved, "turnover_lost": rec.turnover.lost.mean}
    metrics: dict[str, float] = {
        "gain": rec.gain.mean,
        "gain_q05": rec.gain.q05,
        "gain_q95": rec.gain.q95,
        "probability_better": rec.probability_better,
        "nothing": rec.nothing.mean,
        "total": rec.total,
        "current_total": rec.current_total,
        "remainder": rec.remainder,
        "certified": float(found.certified),
        "objective_value": found.value,
        **{name: value for name, value in known.items() if value is not None},
        "converged": float(rec.converged),
    }
    plans = rec.channels.items()
    metrics |= {f"recommended/{name}": plan.recommended_spend for name, plan in plans}
    metrics |= {f"current/{name}": plan.current_spend for name, plan in plans}
    metrics |= {f"multiplier/{name}": plan.multiplier for name, plan in plans}
    metrics |= {f"extra/{name}": plan.extra.mean for name, plan in plans}
    metrics |= {f"net/{name}": plan.net for name, plan in plans}
    metrics |= {f"mroas_current/{name}": plan.mroas_current.mean for name, plan in plans}
    metrics |= {f"mroas_recommended/{name}": plan.mroas_recommended.mean for name, plan in plans}
    tags = {
        "mmx.name": rec.fit_name,
        "mmx.converged": _yes(rec.converged),
        "mmx.reasons": "; ".join(rec.gate_reasons),
        "mmx.money": rec.money,
        "mmx.certificate": words.certificate_sentence(rec),
        "mmx.binding": ", ".join(f"{name} ({plan.binding})" for name, plan in rec.channels.items() if plan.binding),
        "mmx.outside_observed": ", ".join(name for name, plan in rec.channels.items() if plan.outside_observed),
        "mlflow.note.content": recommendation_note(rec),
    }
    return params, metrics, {key: value for key, value in tags.items() if value}


def settings(config: Config, main: Sequence[str] = MAIN) -> dict[str, Any]:
    """Return the main settings and those that differ from the defaults as ``key.path: value``; a prior is one value."""
    given = dict(_flat(config.model_dump(mode="json", exclude_none=False)))
    default = dict(_flat(yaml.safe_load(default_text())))
    params: dict[str, Any] = {key: given[key] for key in main if key in given}
    for key, value in given.items():
        usual = default.get(key)
        if key.partition(".")[0] in UNRELATED or key in params or value == usual or value in (None, {}, []):
            continue
        params[key] = value
    if config.table is None:
        return {key: _short(value) for key, value in params.items()}
    for medium in ("channels", "organic"):
        for name in config.model_dump()["data"][medium]:
            columns = [params.pop(f"data.{medium}.{name}.{field}", None) for field in ("spend", "exposure")]
            params[f"data.{medium}.{name}"] = ", ".join(str(c) for c in columns if c is not None)
    if config.data.path is not None:
        # Its folder differs between machines; the tag data_sha256 says which data they were.
        params["data.path"] = Path(config.data.path).name
    return {key: _short(value) for key, value in params.items()}


def fit_note(summary: Mapping[str, Any], config: Config) -> str:
    """Return the text of a fit's page: the verdict and a table of channels."""
    channels: Mapping[str, Mapping[str, Any]] = summary.get("channels") or {}
    converged = bool(summary.get("converged"))
    quality = summary.get("fit") or {}
    facts = [f"R2 {fmt.number(quality['r2'])}"] if quality.get("r2") is not None else []
    facts += [f"smallest ESS {fmt.number(summary['min_ess'])}"] if summary.get("min_ess") is not None else []
    facts += [f"largest R-hat {summary['max_rhat']:.3f}"] if summary.get("max_rhat") is not None else []
    facts += [f"{summary['divergences']} divergences"] if summary.get("divergences") is not None else []
    verdict = "Converged." if converged else _failed(summary.get("reasons") or (), "Its numbers are not to be used.")
    lines = [" ".join([verdict, *([", ".join(facts) + "."] if facts else [])]), ""]
    paid = any("roas" in stats for stats in channels.values())
    money = fmt.header("Spend", config.data.currency or "")
    rows = [["Channel", money, "Share of KPI", *(["ROAS", "mROAS"] if paid else [])]]
    for name, stats in list(channels.items())[:NOTE_ROWS]:
        row = [fmt.markdown(name), fmt.full(stats["spend"]) if "spend" in stats else DASH]
        row.append(_interval(stats.get("contribution_share"), percent=True))
        rows.append(row + ([_interval(stats.get("roas")), _interval(stats.get("mroas"))] if paid else []))
    lines += _table(rows, len(channels))
    return "\n".join([*lines, "", "Means with equal-tailed 90 % intervals."])


def recommendation_note(rec: Recommendation) -> str:
    """Return the text of a recommendation's page: the gain, its certificate and a table of channels."""
    lines = [] if rec.converged else [_failed(rec.gate_reasons, "This plan is not to be used."), ""]
    sentences = [words.certificate_sentence(rec), words.nothing_sentence(rec), words.total_sentence(rec)]
    sentences += words.turnover_sentences(rec)
    lines += [f"**{fmt.markdown(words.gain_sentence(rec))}**", "", *(fmt.markdown(s) for s in sentences), ""]
    rows = [["Channel", "Current", "Recommended", "Change", "mROAS now", "mROAS then", ""]]
    for name, plan in list(rec.channels.items())[:NOTE_ROWS]:
        remarks = [text for text in (plan.binding, "outside the observed range" if plan.outside_observed else "") if text]
        rows.append(
            [
                fmt.markdown(name),
                fmt.full(plan.current_spend),
                fmt.full(plan.recommended_spend),
                fmt.percent(plan.multiplier - 1, sign=True) if plan.current_spend else DASH,
                fmt.ratio(plan.mroas_current.mean),
                fmt.ratio(plan.mroas_recommended.mean),
                ", ".join(remarks),
            ]
        )
    lines += _table(rows, len(rec.channels))
    lines += ["", *(f"- {fmt.markdown(text)}" for text in rec.unknowns)]
    return "\n".join(lines).rstrip()


def _diagnostics(summary: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of the fit as a whole; what is not a number is left out."""
    metrics: dict[str, Any] = {"converged": float(bool(summary.get("converged")))}
    metrics |= {key: summary[key] for key in ("min_ess", "max_rhat", "divergences") if key in summary}
    for section in ("fit", "seconds", "gate"):
        part = dict(_flat(summary.get(section) or {}))
        metrics |= {f"{section}/{key.replace('.', '/')}": value for key, value in part.items() if key not in metrics}
    return {key: float(value) for key, value in metrics.items() if isinstance(value, int | float) and key != "gate/passed"}


def _channel_metrics(channels: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    metrics = {f"spend/{name}": stats["spend"] for name, stats in channels.items() if "spend" in stats}
    for quantity in QUANTITIES:
        known = {name: stats[quantity] for name, stats in channels.items() if stats.get(quantity) is not None}
        metrics |= {f"{quantity}/{name}": figures["mean"] for name, figures in known.items()}
        if quantity in WITH_INTERVAL:
            for end in ("q05", "q95"):
                metrics |= {f"{quantity}_{end}/{name}": figures[end] for name, figures in known.items()}
    return metrics


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk the leaves of nested mappings; a prior, known by its family, is a leaf."""
    for key, value in node.items():
        if isinstance(value, Mapping) and value and "family" not in value:
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, Mapping) and "family" in value:
            yield f"{prefix}{key}", _prior(value)
        else:
            yield f"{prefix}{key}", value


def _prior(prior: Mapping[str, Any]) -> str:
    """Return a prior in words: ``roas lognormal(median=1.2, q90=3.9)``."""
    numbers = ", ".join(f"{k}={v:g}" for k, v in prior.items() if k not in ("kind", "family") and v is not None)
    return f"{prior['kind'] + ' ' if 'kind' in prior else ''}{prior['family']}({numbers})"


def _short(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(str(item) for item in value)
    return json.dumps(value) if isinstance(value, list | dict) else value


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def _failed(reasons: Sequence[str], consequence: str) -> str:
    return f"NOT CONVERGED: {fmt.markdown('; '.join(reasons)) or 'no reason was recorded'}. {consequence}"


def _interval(stats: Mapping[str, Any] | None, *, percent: bool = False) -> str:
    if stats is None:
        return DASH
    return (fmt.percent_interval if percent else fmt.interval)(stats["mean"], stats["q05"], stats["q95"])


def _table(rows: list[list[str]], total: int) -> list[str]:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    rule = f"| --- |{' ---: |' * (len(rows[0]) - 1)}"
    rest = total - len(body)
    return [head, rule, *body, *(["", f"and {rest} more, see the artifacts."] if rest > 0 else [])]
