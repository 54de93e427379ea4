"""``mmx tune``: the search over rule parameters on the command line; parses, calls one workflow, prints."""

from __future__ import annotations

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
