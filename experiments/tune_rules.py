"""Tune the rules of an advertising account from Python, step by step. Copy this file and change what you need.

    mmx simulate account --seed 6 --out data/account.csv
    MMX_DATA_DIR=data python experiments/tune_rules.py configs/account.yaml
    MMX_DATA_DIR=data python experiments/tune_rules.py configs/account.yaml --out tuned tune.engine=evolution tune.trials=5000

Without ``--out`` nothing is written, and the study is gone afterwards. With it, the folder of ``mmx tune`` is written, the run
is logged to MLflow, and the study is kept and can be taken up again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import mmx
from mmx.data.ads.read import read_history
from mmx.report import tune_words
from mmx.tune.overrides import yaml_diff
from mmx.tune.rule_evidence import Evidence, judge_winner
from mmx.tune.rule_problem import check_search, recorded, rule_problem
from mmx.tune.search import Tuning, tune
from mmx.validate.rule_backtest import Customer, prepare_backtest
from mmx.validate.rule_folds import rule_folds
from mmx.workflows.rules import engine_of
from mmx.workflows.tune import learned_start, response_settings, run_tune


def main(arguments: Sequence[str] | None = None) -> tuple[Tuning, Evidence]:
    """Run the steps and return what was found and what is known of it, for a notebook to go on with."""
    args = parse(arguments)

    # 1. The settings: configs/default.yaml, the named file, then the key.path=value of the command line.
    storage = [] if args.out is not None else ["tune.storage.url=memory"]
    config = mmx.read_config(args.config, overrides=[*args.overrides, *storage])
    settings, engine = config.tune, engine_of(config)
    check_search(settings, config.rules.margin)
    if args.out is not None:
        made = run_tune(config, out=args.out, force=args.force, allow_unconverged=args.allow_unconverged).made
        show(made.tuning, made.evidence)
        print("\n".join([*tune_words.luck_sentences(made), tune_words.replay_sentence(made)]))
        return made.tuning, made.evidence

    # 2. The account's past, its folds, and the days that no trial will see.
    history = read_history(config.ads)
    folds = rule_folds(len(history.dates), history.immature_days, settings.backtest)
    print(f"{history.account}: {len(history.dates)} days of {len(history.adsets)} ad sets; {folds}")

    # 3. A response model for every fold, fitted on its past, and the hold-out's own.
    backtest = prepare_backtest(
        engine,
        history,
        history.until,
        folds,
        Customer(config.rules, config.ads.month_budget, tuple(config.ads.delay_curve)),
        settings.backtest,
        response_settings(config),
        objectives=recorded(config.rules.margin),
        limits=settings.constraints,
        seed=config.seed,
        progress=print,
    )

    # 4. The search. Every trial rolls forward, with state, through the models; history is never replayed.
    # It begins with the defaults and with what the account's own distributions say.
    starts = learned_start(engine, history, folds, config)[None]
    problem = rule_problem(backtest)
    found = tune(problem, settings, study=config.name, seed=config.seed, starts=starts, progress=progress)

    # 5. Believe the judge, not the search: winner minus defaults on days that neither has seen.
    evidence = judge_winner(backtest, found, history, folds, settings.verdict, seed=config.seed)
    show(found, evidence)
    return found, evidence


def show(found: Tuning, evidence: Evidence) -> None:
    """Print the verdict, what it rests on, and the parameters."""
    print("\n".join(["", evidence.headline, *(f"- {text}" for text in evidence.basis), ""]))
    print(yaml_diff(found.search.problem.space, found.vector))


def progress(done: int, total: int) -> None:
    """Complete trials, on one line."""
    print(f"\r{done:,} of {total:,} trials", end="\n" if done == total else "", flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Tune the rules of an advertising account, step by step.")
    parser.add_argument("config", help="a YAML file, or the name of one in configs/")
    parser.add_argument("overrides", nargs="*", metavar="KEY.PATH=VALUE", help="settings that replace the file's")
    parser.add_argument("--out", metavar="DIR", help="write the output folder there, log the run, keep the study")
    parser.add_argument("--force", action="store_true", help="replace an existing output folder")
    parser.add_argument("--allow-unconverged", action="store_true", help="go on although a response model cannot be used")
    return parser.parse_intermixed_args(arguments)


if __name__ == "__main__":
    main()
