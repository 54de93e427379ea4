"""The library: rules by group, in the order in which they are asked. A new rule is one more entry of one of these files."""

from __future__ import annotations

from mmx.rules.library import (
    edits,
    evidence,
    fatigue,
    guardrails,
    lifecycle,
    marginal,
    modifiers,
    pacing,
    performance,
    safety,
    timing,
)

LIBRARY = (
    *evidence.RULES,
    *safety.RULES,
    *lifecycle.RULES,
    *fatigue.RULES,
    *performance.RULES,
    *marginal.RULES,
    *modifiers.RULES,
    *timing.RULES,
    *pacing.RULES,
    *guardrails.RULES,
    *edits.RULES,
)
