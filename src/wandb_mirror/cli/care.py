"""Care for a mirror: ``status``, ``verify``, ``doctor``, ``publish``, ``forget``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from wandb_mirror.cli.context import Wish, pass_wish
from wandb_mirror.cli.sync import stopping_gently

json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
DIFFERENT = 1


@click.command("status")
@json_option
@pass_wish
def status_command(wish: Wish, *, as_json: bool) -> None:
    """Say how fresh the mirror is, what it holds, and what went wrong last."""
    from wandb_mirror.cli.terminal import print_json, print_status  # noqa: PLC0415

    status = wish.open_reader().status()
    if as_json:
        print_json(status)
    else:
        print_status(status)


@click.command("verify")
@click.argument("projects", nargs=-1, metavar="[ENTITY[/PROJECT]]...")
@click.option("--deep", is_flag=True, help="Compare every history row too.")
@click.option("--repair", is_flag=True, help="Fetch again what differs.")
@json_option
@pass_wish
def verify_command(
    wish: Wish, projects: tuple[str, ...], *, deep: bool, repair: bool, as_json: bool
) -> int:
    """Compare the mirror with upstream, value by value. Exit code 0: equal, 1: different.

    What changed upstream since the last sync is reported as behind, not as different.
    """
    from wandb_mirror.cli.terminal import print_json, print_verdict  # noqa: PLC0415

    mirror = wish.open_mirror()
    with stopping_gently(mirror):
        verdict = mirror.verify(projects, is_deep=deep, repairs=repair)
    if as_json:
        print_json(verdict.to_dict())
    else:
        print_verdict(verdict)
    return 0 if verdict.is_equal else DIFFERENT


@click.command("doctor")
@json_option
@pass_wish
def doctor_command(wish: Wish, *, as_json: bool) -> int:
    """Check settings, key, server, disk, lock and files, and say what is wrong with each."""
    from wandb_mirror.cli.terminal import print_findings, print_json  # noqa: PLC0415

    findings = wish.open_mirror().examine()
    if as_json:
        print_json([each.to_dict() for each in findings])
    else:
        print_findings(findings)
    return 0 if all(each.is_well for each in findings) else DIFFERENT


@click.command("publish")
@pass_wish
def publish_command(wish: Wish) -> None:
    """Publish what the mirror holds, where a sync was cut off before it could."""
    published = wish.open_mirror().publish()
    wish.say(f"published {published}" if published else "nothing new to publish")


@click.command("forget")
@click.argument("project", metavar="ENTITY/PROJECT")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_wish
def forget_command(wish: Wish, project: str, *, yes: bool) -> None:
    """Remove a project from the mirror. Nothing happens upstream."""
    confirm(f"Remove {project} and its history from this mirror?", is_answered=yes)
    wish.open_mirror().forget(project)
    wish.say(f"forgot {project}")


@click.command("redact")
@click.option("--loosen", multiple=True, metavar="GLOB", help="Take this rule back.")
@pass_wish
def redact_command(wish: Wish, loosen: tuple[str, ...]) -> None:
    """List the rules by which config values are left out, or take some back.

    Rules are added by the setting sync.redact; take a rule out there too, or it comes back. What a
    rule hid comes when the run is read again: 'wandb-mirror sync --full-refresh' does that at once.
    """
    for rule in wish.open_mirror().redactions(loosen):
        click.echo(rule)


@click.command("health")
@click.option(
    "--max-age",
    type=click.FloatRange(0, min_open=True),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long ago the last complete sync may have ended.",
)
@pass_wish
def health_command(wish: Wish, max_age: float) -> int:
    """Exit with 0 where the mirror is fresh and readable, else with 1: for containers."""
    from wandb_mirror.mirror.health import judge_health  # noqa: PLC0415

    problem = judge_health(wish.open_reader().status(), max_age, datetime.now(UTC))
    click.echo(problem or "healthy", err=bool(problem))
    return DIFFERENT if problem else 0


def confirm(question: str, *, is_answered: bool) -> None:
    """Ask before something is lost; without a terminal and --yes, stop with exit code 2."""
    if is_answered:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is nobody to ask: say --yes")
    click.confirm(question, abort=True, err=True)


COMMANDS = (
    status_command,
    verify_command,
    doctor_command,
    publish_command,
    forget_command,
    redact_command,
    health_command,
)
