"""``mmx rules ...``: the daily rules on the command line; parses, calls one workflow, prints."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from mmx.cli_options import ConfigArgument, CustomerOption, ForceOption, OutOption, Overrides, PlatformOption, configured

app = typer.Typer(help="Daily rules that move the budgets of ad sets.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def run(
    config: ConfigArgument = None,
    overrides: Overrides = None,
    date: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Day to decide about; the one after the table's last."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print, and write and log nothing.")] = False,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Output folder of mmx recommend: money and incrementality.")
    ] = None,
    out: OutOption = None,
    force: ForceOption = False,
    customer: CustomerOption = None,
    platform: PlatformOption = None,
) -> None:
    """Decide the next day's budget of every ad set, with the rule that decided, its reasons, and what bound it."""
    from mmx.report.rules_terminal import print_advice
    from mmx.workflows.rules import run_rules

    settings = configured(config, overrides, customer, platform)
    day = None if date is None else date.date()
    done = run_rules(settings, date=day, dry_run=dry_run, source=source, out=out, force=force)
    print_advice(done.advice, done.folder, done.notes)


@app.command(name="list")
def list_rules(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Print every rule with its purpose and parameters."""
    import json

    from mmx.report.rules_terminal import print_rule_list
    from mmx.rules.engine import Engine
    from mmx.workflows.rules import rule_list

    rules = rule_list(Engine())
    if as_json:
        typer.echo(json.dumps(rules, indent=1, ensure_ascii=False))
    else:
        print_rule_list(rules)


@app.command()
def auto(
    config: ConfigArgument = None,
    overrides: Overrides = None,
    out: OutOption = None,
    force: ForceOption = False,
    customer: CustomerOption = None,
    platform: PlatformOption = None,
) -> None:
    """Take parameters from the customer's own distributions and volumes; writes them as YAML."""
    from mmx.report.rules_terminal import print_learned
    from mmx.workflows.rules_learn import run_auto

    done = run_auto(configured(config, overrides, customer, platform), out=out, force=force)
    print_learned(done.learned, done.folder)


@app.command()
def discover(
    config: ConfigArgument = None,
    overrides: Overrides = None,
    out: OutOption = None,
    force: ForceOption = False,
    customer: CustomerOption = None,
    platform: PlatformOption = None,
) -> None:
    """Look for new rules by shallow trees, judged on later days; that nothing is found is a normal answer."""
    from mmx.report.rules_terminal import print_discovery
    from mmx.workflows.rules_learn import run_discover

    done = run_discover(configured(config, overrides, customer, platform), out=out, force=force)
    print_discovery(done.discovery, done.folder)
