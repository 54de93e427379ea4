"""Recommend a budget from a fit, at several totals. Copy this file and change what you need.

    python experiments/recommend.py fits/demo
    python experiments/recommend.py fits/demo --share 0.8 1 1.2 --bounds 0.7 1.5 --horizon 26
    python experiments/recommend.py fits/demo --out plans/demo

The fit is an output folder of ``mmx fit`` or the id of its MLflow run. Without ``--out`` nothing is written; with it, the plan
at the first share is written as ``mmx recommend`` does, and logged as a child of the fit's run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pandas as pd

import mmx
from mmx.decide.recommendation import Recommendation
from mmx.mmm.store import read
from mmx.workflows.fit import POSTERIOR
from mmx.workflows.recommend import fit_folder, run_recommend


def main(arguments: Sequence[str] | None = None) -> list[Recommendation]:
    """Run the steps and return one recommendation per total."""
    args = parse(arguments)

    # 1. The fit, read back with its data and its specification: nothing else is needed.
    folder = fit_folder(args.fit)
    fit = read(folder / POSTERIOR)
    print(f"{fit.spec.name}: converged: {fit.converged} {'; '.join(fit.gate.reasons)}")

    # 2. The current plan: the last periods' spend, from which every plan is scaled.
    current = float(fit.posterior.reference(args.horizon).spend.sum())

    # 3. The best plan for each total, with bounds on how far a channel may move.
    plans = []
    for share in args.share:
        plan = mmx.recommend(
            fit,
            total=share * current,
            horizon=args.horizon,
            bounds=tuple(args.bounds),
            allow_unconverged=args.allow_unconverged,
        )
        plans.append(plan)
        print(
            f"\ntotal {plan.total:,.0f} ({share:.0%} of the current plan), {plan.start} to {plan.end}: "
            f"gain {plan.gain.mean:,.0f} [{plan.gain.q05:,.0f}, {plan.gain.q95:,.0f}] {plan.money}, "
            f"P(gain > 0) = {plan.probability_better:.0%}"
        )
        print(table(plan).round(2).to_string())
        for sentence in plan.unknowns:
            print(f"  {sentence}")

    # 4. The files that leave the house: JSON, CSV, XLSX, a page and a figure.
    if args.out is not None:
        settings = (
            f"budget.total={args.share[0] * current!r}",
            f"budget.horizon={args.horizon}",
            f"budget.bounds={list(args.bounds)}",
        )
        run_recommend(folder, overrides=settings, out=args.out, force=args.force, allow_unconverged=args.allow_unconverged)
    return plans


def table(plan: Recommendation) -> pd.DataFrame:
    """One row per channel: money over the horizon, and what the next 1 % of spend brings before and after."""
    return pd.DataFrame(
        {
            name: {
                "current": channel.current_spend,
                "recommended": channel.recommended_spend,
                "mroas before": channel.mroas_current.mean,
                "mroas after": channel.mroas_recommended.mean,
                "at": channel.binding,
            }
            for name, channel in plan.channels.items()
        }
    ).T.infer_objects()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Recommend a budget from a fit, at several totals.")
    parser.add_argument("fit", metavar="DIR_OR_RUN", help="output folder of mmx fit, or its MLflow run id")
    parser.add_argument("--share", type=float, nargs="+", default=[1.0], help="totals as shares of the current plan's")
    parser.add_argument("--horizon", type=int, default=13, help="periods to plan")
    parser.add_argument("--bounds", type=float, nargs=2, default=[0.5, 2.0], metavar=("LOW", "HIGH"), help="per channel")
    parser.add_argument("--out", metavar="DIR", help="write the exports there and log the run")
    parser.add_argument("--force", action="store_true", help="replace an existing output folder")
    parser.add_argument("--allow-unconverged", action="store_true", help="go on although the fit failed its gate")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
