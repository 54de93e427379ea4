"""``mmx tune`` and ``mmx pool``: rule parameters of one customer, and of many; parses, calls one workflow, prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mmx.cli_options import ConfigArgument, CustomerOption, ForceOption, OutOption, Overrides, PlatformOption, configured


def tune(
    config: ConfigArgument = None,
    overrides: Overrides = None,
    out: OutOption = None,
    force: ForceOption = False,
    workers: Annotated[int | None, typer.Option("--workers", metavar="N", min=1, help="Processes on the study.")] = None,
    start: Annotated[
        list[Path] | None,
        typer.Option("--start", metavar="YAML", help="Parameters to try first, as mmx rules auto writes them."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Output folder of mmx tune: choose from its trials, search nothing."),
    ] = None,
    prefer: Annotated[
        str | None, typer.Option("--prefer", metavar="A=1,B=.5", help="With --from: weights of objectives to choose by.")
    ] = None,
    pooled: Annotated[
        Path | None, typer.Option("--pooled", metavar="DIR", help="Output folder of mmx pool to begin the search with.")
    ] = None,
    allow_unconverged: Annotated[
        bool, typer.Option("--allow-unconverged", help="Go on although a response model's posterior cannot be used.")
    ] = False,
    customer: CustomerOption = None,
    platform: PlatformOption = None,
) -> None:
    """Search the parameters of the rules by honest backtests, and judge the best on days that no trial saw."""
    if (source is None) != (prefer is None):
        raise typer.BadParameter("--from DIR and --prefer WEIGHTS go together: choose from the trials of an earlier search")
    given = [*(overrides or []), *([] if workers is None else [f"tune.workers={workers}"])]
    given += [] if pooled is None else [f"pool.source={json.dumps(str(pooled))}"]
    settings = configured(config, given, customer, platform)
    from mmx.workflows.tune_choose import read_preferences, read_start, run_choose

    if source is not None and prefer is not None:
        from mmx.report.tune_terminal import print_choice

        choice = run_choose(settings, source, read_preferences(prefer), out=out, force=force)
        print_choice(choice.content, choice.yaml, choice.folder)
        return
    from mmx.report.tune_terminal import print_tuning
    from mmx.workflows.rules import engine_of
    from mmx.workflows.tune import run_tune

    engine = engine_of(settings)
    starts = {path.name: read_start(engine, path) for path in start or ()}
    done = run_tune(settings, out=out, force=force, starts=starts, allow_unconverged=allow_unconverged)
    print_tuning(done.made, done.folder)


def pool(
    configs: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG... [KEY.PATH=VALUE]...",
            help="Tuned customers: YAML files, names in configs/, or output folders of mmx tune; settings for all of them.",
            show_default=False,
        ),
    ],
    out: OutOption = None,
    force: ForceOption = False,
    allow_unconverged: Annotated[
        bool, typer.Option("--allow-unconverged", help="Go on although the pool failed its gate.")
    ] = False,
) -> None:
    """Pool the rule parameters of several customers: what they have in common, how they differ, where a new one begins."""
    from mmx.report.pool_terminal import print_pool
    from mmx.workflows.pool import read_customers, run_pool

    done = run_pool(read_customers(configs), out=out, force=force, allow_unconverged=allow_unconverged)
    print_pool(done.summary, done.folder)
