"""Write a result as a table, JSON, CSV, Markdown or Parquet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from wandb_mirror.cli.context import Wish
from wandb_mirror.cli.text import readable
from wandb_mirror.errors import BadSettings
from wandb_mirror.jsontext import dumps

if TYPE_CHECKING:
    from wandb_mirror.query.answer import Answer

FORMATS = ("table", "json", "csv", "parquet", "markdown")
WIDEST_TABLE = 20
"""Columns a table shows at most on a terminal; the other formats show all."""


def write_answer(answer: Answer, *, name: str, output: str | None) -> None:
    """Write an answer's rows to ``output`` (default stdout) in the format called ``name``."""
    if name == "parquet":
        if output is None and sys.stdout.isatty():
            raise BadSettings("Parquet is not for reading: name a file with -o FILE")
        _write_parquet(answer, output)
    elif name == "csv":
        _write_csv(answer, output)
    else:
        with _open_text(output) as sink:
            WRITERS[name](answer, sink)


def _write_parquet(answer: Answer, output: str | None) -> None:
    import pyarrow.parquet  # noqa: PLC0415  (slow to import, and only files need it)

    reader = answer.arrow()
    with (
        _open_binary(output) as sink,
        pyarrow.parquet.ParquetWriter(sink, reader.schema) as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)


def _write_csv(answer: Answer, output: str | None) -> None:
    import pyarrow.csv  # noqa: PLC0415  (slow to import, and only files need it)

    reader = answer.arrow()
    with _open_binary(output) as sink, pyarrow.csv.CSVWriter(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _write_json(answer: Answer, sink: IO[str]) -> None:
    """Write one array of objects; non-finite numbers are strings, times are ISO 8601 with Z."""
    sink.write("[")
    separator = "\n"
    for row in answer.rows():
        sink.write(separator + dumps(dict(zip(answer.names, map(_plain, row), strict=True))))
        separator = ",\n"
    sink.write("\n]\n")


def _write_table(answer: Answer, sink: IO[str]) -> None:
    """Draw a table as wide as the terminal, or as wide as it needs where there is none."""
    from rich import box  # noqa: PLC0415  (slow to import, and JSON does not need it)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    is_terminal = sink.isatty()
    console = Console(file=sink, width=None if is_terminal else 10_000, soft_wrap=not is_terminal)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    count = len(answer.names)
    shown = min(count, WIDEST_TABLE) if is_terminal else count
    for name, is_number in zip(answer.names[:shown], answer.are_numbers, strict=False):
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    rows = 0
    for row in answer.rows():
        table.add_row(*map(_cell, row[:shown]))
        rows += 1
    console.print(table)
    more = f" ({count - shown} more columns: --format json)" if count > shown else ""
    wish = click.get_current_context().find_object(Wish)
    if wish is not None:
        wish.say(f"{rows} row{'' if rows == 1 else 's'}{more}")


def _write_markdown(answer: Answer, sink: IO[str]) -> None:
    """Write a Markdown table."""
    sink.write("| " + " | ".join(map(_escape, answer.names)) + " |\n")
    sink.write("|" + " --- |" * len(answer.names) + "\n")
    for row in answer.rows():
        sink.write("| " + " | ".join(_escape(_text(value)) for value in row) + " |\n")


WRITERS: dict[str, Callable[[Answer, IO[str]], None]] = {
    "json": _write_json,
    "table": _write_table,
    "markdown": _write_markdown,
}


def _plain(value: Any) -> Any:
    """Return a value that JSON has."""
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def _text(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value)


def _cell(value: Any) -> Any:
    """Return a table's cell: never markup, never an escape sequence."""
    from rich.text import Text  # noqa: PLC0415

    return Text(readable(_text(value)))


def _escape(text: str) -> str:
    """Return text that stays inside one Markdown cell."""
    return text.replace("|", "\\|").replace("\n", " ")


@contextmanager
def _open_text(output: str | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with Path(output).open("w", encoding="utf-8") as sink:
        yield sink


@contextmanager
def _open_binary(output: str | None) -> Iterator[Any]:
    if output is None:
        yield sys.stdout.buffer
        return
    with Path(output).open("wb") as sink:
        yield sink
