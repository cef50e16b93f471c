"""How the command line talks: progress, reports, JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from wandb_mirror.cli.text import readable
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds import kind_named

if TYPE_CHECKING:
    from wandb_mirror.kinds.spec import Kind
    from wandb_mirror.mirror.comparing import Verdict
    from wandb_mirror.mirror.doctor import Finding
    from wandb_mirror.mirror.report import SyncReport

MOST_RUNS = 20
"""Runs drawn on each side of a version."""


def print_json(value: Any) -> None:
    """Print one JSON document to stdout."""
    click.echo(dumps(value))


AFTERMATH = {
    "deleted": "; they are kept, marked deleted",
    "inaccessible": "; they are kept, marked inaccessible",
    "removed": " and here",
}


def say_report(report: SyncReport, published_path: Path) -> None:
    """Say on stderr what a sync did."""
    for project in report.projects:
        path = f"{project.entity}/{project.project}".rstrip("/")
        click.echo(f"{path}: {_describe(project.seen, project.changed)}", err=True)
        for kind, count in project.missing.items():
            when_gone = kind_named(kind).when_gone
            if count:
                click.echo(f"  {count} {kind} are gone upstream{AFTERMATH[when_gone]}", err=True)
        for note in project.notes:
            click.echo(f"  {note}", err=True)
    for target in report.not_found:
        click.echo(
            f"{target}: absent or not visible to this key; what was mirrored is kept", err=True
        )
    if absent := dict.fromkeys(kind for each in report.projects for kind in each.not_offered):
        click.echo(f"this server offers no {', '.join(absent)}", err=True)
    if report.lacking:
        click.echo(
            f"this server has no {', '.join(report.lacking)}: those columns stay empty", err=True
        )
    if report.problems:
        click.echo(
            f"{report.problems} objects could not be read and will be tried again: "
            "wandb-mirror sql 'FROM sync_errors'",
            err=True,
        )
    outcome = f"published {published_path}" if report.published else "nothing new to publish"
    click.echo(
        f"{report.requests} requests, {report.bytes_received / 1e6:.1f} MB, "
        f"{report.seconds:.1f} s; {outcome}",
        err=True,
    )


def _describe(seen: Mapping[str, int], changed: Mapping[str, int]) -> str:
    """Return counts for people: ``200 runs (3 changed), 5 sweeps``, or ``all new: 200 runs``."""
    there = {plural: count for plural, count in seen.items() if count or changed.get(plural)}
    is_new = bool(there) and all(changed.get(each, 0) >= there[each] for each in there)
    parts = [
        _count(kind_named(plural), count, changed.get(plural, 0), is_new=is_new)
        for plural, count in there.items()
    ]
    return ("all new: " if is_new else "") + (", ".join(parts) or "nothing")


def _count(kind: Kind, count: int, news: int, *, is_new: bool) -> str:
    """Return how much of a kind there is, and how much of it is news where not all is."""
    if not kind.is_stored:  # scopes were looked at, and rows were read
        scope = kind.scope if count == 1 else f"{kind.scope}s"
        rows = f" ({news:,} rows)" if news else ""
        return f"{kind.plural.replace('_', ' ')} of {count:,} {scope}{rows}"
    word = (kind.name if count == 1 else kind.plural).replace("_", " ")
    return f"{count:,} {word} ({news:,} changed)" if news and not is_new else f"{count:,} {word}"


MOST_SHOWN = 20


def print_status(status: Mapping[str, Any]) -> None:
    """Print how fresh a mirror is and what it holds."""
    last, published = status["last_sync"], status["published"]
    click.echo(f"mirror     {status['folder']} of {status['server']}")
    click.echo(f"scopes     {', '.join(status['scopes']) or 'none'}")
    if last is not None:
        click.echo(f"last sync  {_describe_sync(last, is_locked=status['is_locked'])}")
    if status["stopped_at"]:
        click.echo(f"stopped    {status['stopped_at']}; the next sync goes on from there")
    click.echo(f"complete   {status['last_complete_sync_at'] or 'never'}")
    if status["edits"]:
        counts = ", ".join(f"{count} {state}" for state, count in status["edits"].items())
        click.echo(f"edits      {counts}; 'wandb-mirror diff' shows them")
    if status["is_locked"]:
        click.echo(f"working    {status['holder']}")
    if status["server_lacks"]:
        click.echo(f"lacking    {', '.join(status['server_lacks'])}")
    if published is None:
        click.echo("published  nothing yet")
    else:
        size = published["bytes"] / 1e6
        click.echo(f"published  {published['path']} ({size:.1f} MB), {published['published_at']}")
        for each in published["projects"]:
            more = f", {each['incomplete']} incomplete" if each["incomplete"] else ""
            click.echo(
                f"  {each['project']}: {each['runs']} runs, "
                f"{each['history_rows']} history rows{more}"
            )
    for each in status["sync_errors"][:MOST_SHOWN]:
        click.echo(f"error      {each['kind']} {each['key']}: {each['error']}")
    if len(status["sync_errors"]) > MOST_SHOWN:
        click.echo(f"… and {len(status['sync_errors']) - MOST_SHOWN} more: FROM sync_errors")


def _describe_sync(last: Mapping[str, Any], *, is_locked: bool) -> str:
    """Return how a sync ended, if it did."""
    if last["finished_at"]:
        return f"{last['status']}, {last['finished_at']}, {last['requests'] or 0} requests"
    more = "" if is_locked else "; the next sync goes on from what it saved"
    return f"{last['status']}, began {last['started_at']}{more}"


def print_verdict(verdict: Verdict) -> None:
    """Print what a comparison found."""
    counted = ", ".join(f"{count} {kind}" for kind, count in verdict.compared.items())
    click.echo(f"compared {counted or 'nothing'}")
    for word, found in (("different", verdict.different), ("behind", verdict.behind)):
        for each in found[:MOST_SHOWN]:
            click.echo(f"{word}: {each.kind} {each.path}: {each.problem}")
        if len(found) > MOST_SHOWN:
            click.echo(f"… and {len(found) - MOST_SHOWN} more {word}")
    if verdict.different:
        click.echo("not equal; 'wandb-mirror verify --repair' fetches again what differs")
    elif verdict.behind:
        click.echo("equal, but behind: 'wandb-mirror sync' fetches what changed")
    else:
        click.echo("equal")


def print_findings(findings: Sequence[Finding]) -> None:
    """Print what was looked at, and how it is."""
    for each in findings:
        mark = click.style("ok   ", fg="green") if each.is_well else click.style("WRONG", fg="red")
        click.echo(f"{mark} {each.what}: {each.text}")


def print_object(found: Mapping[str, Any]) -> None:
    """Print one object: its columns, then its nested values as indented JSON."""
    nested = {name: value for name, value in found.items() if isinstance(value, dict)}
    width = max((len(name) for name in found), default=0)
    for name, value in found.items():
        if name not in nested and value is not None:
            text = value if isinstance(value, str) else dumps(value)
            click.echo(f"{name:<{width}}  {readable(text)}")
    for name, value in nested.items():
        click.echo(f"\n{name}")
        if name == "lineage":
            _print_lineage(value)
            continue
        for key, inner in value.items():
            click.echo(f"  {readable(key)}: {readable(dumps(inner))}")


def _print_lineage(lineage: Mapping[str, Mapping[str, list[str]]]) -> None:
    """Draw the runs that logged and used a version, and what is on their other side."""
    from rich.text import Text  # noqa: PLC0415
    from rich.tree import Tree  # noqa: PLC0415

    words = {"logged_by": ("logged by", "from "), "used_by": ("used by", "made ")}
    for side, runs in lineage.items():
        title, before = words[side]
        tree = Tree(f"  {title}")
        telling = sorted(runs.items(), key=lambda each: not each[1])  # those that lead on first
        for run, versions in telling[:MOST_RUNS]:
            branch = tree.add(Text(readable(f"run {run}")))
            for version in versions:
                branch.add(Text(readable(before + version)))
        if len(runs) > MOST_RUNS:
            tree.add(f"{len(runs) - MOST_RUNS} more; --json has all")
        Console(soft_wrap=True).print(tree)
