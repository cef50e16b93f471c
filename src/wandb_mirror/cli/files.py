"""Bytes: ``download``, ``gc``, ``du``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wandb_mirror.cli.context import Wish as Context
from wandb_mirror.cli.context import pass_wish
from wandb_mirror.cli.sync import stopping_gently
from wandb_mirror.cli.text import readable

if TYPE_CHECKING:
    from wandb_mirror.mirror.downloads import DownloadReport

INCOMPLETE = 3
MOST_SHOWN = 20
json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.command("download")
@click.argument("path", required=False, metavar="[ENTITY/PROJECT/COLLECTION:ALIAS]")
@click.argument("pattern", default="*", metavar="[PATTERN]")
@click.option("--run-files", is_flag=True, help="PATH is a run: fetch its files.")
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also copy the files into this folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace files there that have other content.")
@click.option(
    "--references",
    is_flag=True,
    help="Also fetch files that lie elsewhere, into --to, by files.reference_schemes.",
)
@json_option
@pass_wish
def download_command(
    context: Context,
    path: str | None,
    pattern: str,
    to: Path | None,
    *,
    run_files: bool,
    overwrite: bool,
    references: bool,
    as_json: bool,
) -> int:
    """Fetch the bytes of an artifact or of a run's files into the mirror, each checked.

    They are kept once, whatever versions and runs have them, and Api serves them offline. Without
    a path: what files.types, files.aliases, files.patterns and files.run_files choose. What is
    here already is not fetched again; a download that was stopped goes on where it stopped.
    """
    from wandb_mirror.cli.terminal import print_json  # noqa: PLC0415
    from wandb_mirror.mirror.downloads import Wish  # noqa: PLC0415

    if references and to is None:
        raise click.UsageError("--references needs --to: files that lie elsewhere are not kept")
    mirror = context.open_mirror()
    wish = Wish(to, overwrites=overwrite, wants_references=references)
    with stopping_gently(mirror):
        report = mirror.download(path, pattern, is_run=run_files, wish=wish)
    if as_json:
        print_json(report.to_dict())
    else:
        _say_report(report, to)
    return INCOMPLETE if report.problems else 0


def _say_report(report: DownloadReport, to: Path | None) -> None:
    done = report.fetched
    said = f"{done.fetched} files fetched ({_size(done.bytes_fetched)}), {done.there} there already"
    said += f", {report.placed} put into {to}" if to is not None else ""
    click.echo(said)
    for name in report.references[:MOST_SHOWN]:
        click.echo(readable(f"lies elsewhere: {name}"), err=True)
    for name, why in list(report.problems.items())[:MOST_SHOWN]:
        click.echo(readable(f"{name}: {why}"), err=True)
    for found in (report.references, report.problems):
        if (more := len(found) - MOST_SHOWN) > 0:
            click.echo(f"and {more} more; --json lists all", err=True)


def _size(size_bytes: int) -> str:
    from wandb_mirror.blobs.digest import human_size  # noqa: PLC0415

    return human_size(size_bytes)


@click.command("gc")
@click.option("--older-than", type=click.IntRange(0), metavar="DAYS", help="Not used for so long.")
@click.option("--max-size", type=click.FloatRange(0), metavar="GB", help="Keep at most so much.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@json_option
@pass_wish
def gc_command(
    context: Context,
    older_than: int | None,
    max_size: float | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove bytes that were not used for long, the longest unused first.

    What a version with an alias needs stays, whatever its age. Nothing happens upstream, and what
    is removed can be downloaded again.
    """
    from wandb_mirror.cli.terminal import print_json  # noqa: PLC0415

    if older_than is None and max_size is None:
        raise click.UsageError("say what may go: --older-than DAYS, --max-size GB, or both")
    from wandb_mirror.mirror.housekeeping import collect_garbage  # noqa: PLC0415

    reader = context.open_reader()
    with reader.read() as published:
        swept = collect_garbage(
            reader.blobs,
            published,
            now_seconds=time.time(),
            older_than_days=older_than,
            most_gb=max_size,
            is_dry=dry_run,
        )
    if as_json:
        print_json(swept.to_dict())
        return
    verb = "would be removed" if dry_run else "removed"
    click.echo(
        f"{swept.removed} files {verb} ({_size(swept.removed_bytes)}), "
        f"{swept.kept} kept ({_size(swept.kept_bytes)})"
    )
    if swept.is_over:
        click.echo("what aliases need is more than --max-size allows; it stays", err=True)


@click.command("du")
@json_option
@pass_wish
def du_command(context: Context, *, as_json: bool) -> None:
    """Say what the mirror's folder takes, and whose bytes are in it."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from wandb_mirror.cli.terminal import print_json  # noqa: PLC0415
    from wandb_mirror.mirror.housekeeping import measure_usage  # noqa: PLC0415

    reader = context.open_reader()
    with reader.read() as published:
        usage = measure_usage(reader.folder, reader.blobs, published)
    if as_json:
        print_json(usage.to_dict())
        return
    table = Table("what", "size", "files", box=None)
    for each in usage.parts:
        table.add_row(readable(each.name), _size(each.size_bytes), str(each.files))
    Console().print(table)


COMMANDS = (download_command, gc_command, du_command)
