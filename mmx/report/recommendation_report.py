"""``recommendation.md``: a plan told to the person who signs it."""

from __future__ import annotations

from mmx.decide.recommendation import Recommendation
from mmx.report import format as fmt
from mmx.report import words
from mmx.report.fit_report import table


def recommendation_report(rec: Recommendation) -> str:
    """Return the text of ``recommendation.md``."""
    units = words.plan_units(rec)
    lines = [f"# Budget recommendation: {fmt.markdown(rec.fit_name)}", ""]
    if not rec.converged:
        lines += [f"> **{fmt.markdown(words.not_converged(rec.gate_reasons))}**", ""]
    lines += [f"**{words.gain_sentence(rec)}**", "", words.gain_definition(units), ""]
    lines += [
        f"- Horizon: {rec.horizon} periods, the first starts on {rec.start}, the last on {rec.end}.",
        f"- Total: {fmt.full(rec.total, units.spend)}; the current plan's total is {fmt.full(rec.current_total, units.spend)}.",
        f"- Gain: {fmt.full(rec.gain.mean, units.value, sign=True)} "
        f"({words.INTERVAL} {fmt.full_span(rec.gain.q05, rec.gain.q95)}); "
        f"P(gain > 0) is {fmt.probability(rec.probability_better)} of the posterior draws.",
        "",
        "## Channels",
        "",
        *_channels(rec, units),
        "",
        "![Current and recommended spend, and what the change brings](recommendation.png)",
        "",
        "## Constraints that bind",
        "",
        *(f"- {fmt.markdown(line)}" for line in words.binding_lines(rec)),
        "",
        "## What the model does not know",
        "",
        *([f"- {fmt.markdown(line)}" for line in words.unknown_lines(rec)] or ["- Nothing was recorded."]),
        "",
        "## Definitions",
        "",
        *(f"- **{term}**: {text}" for term, text in words.plan_definitions(rec)),
        "",
    ]
    if rec.notes:
        lines += ["## Notes", "", *(f"- {fmt.markdown(n)}" for n in rec.notes), ""]
    return "\n".join(lines)


def _channels(rec: Recommendation, units: words.Units) -> list[str]:
    extra = "Extra KPI units" if units.value == words.KPI_UNITS else fmt.header("Extra KPI money", units.value)
    header = [
        "Channel",
        fmt.header("Current", units.spend),
        fmt.header("Recommended", units.spend),
        fmt.header("Change", units.spend),
        "Change, %",
        extra,
        words.INTERVAL,
        f"{units.mroas} before",
        f"{units.mroas} after",
        "Remarks",
    ]
    rows = []
    for name, plan in rec.channels.items():
        before, after = plan.mroas_current, plan.mroas_recommended
        rows.append(
            [
                fmt.markdown(name),
                fmt.full(plan.current_spend),
                fmt.full(plan.recommended_spend),
                fmt.full(words.change(plan), sign=True),
                words.change_text(plan),
                fmt.full(plan.extra.mean, sign=True),
                fmt.full_span(plan.extra.q05, plan.extra.q95),
                fmt.interval(before.mean, before.q05, before.q95),
                fmt.interval(after.mean, after.q05, after.q95),
                words.marks(plan),
            ]
        )
    total = ["**Total**", fmt.full(rec.current_total), fmt.full(rec.total), fmt.full(rec.total - rec.current_total, sign=True)]
    return table(header, [*rows, [*total, "", "", "", "", "", ""]])
