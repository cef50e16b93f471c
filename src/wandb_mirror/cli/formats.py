"""Write a result as a table, JSON, CSV, Markdown or Parquet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import click
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wandb_mirror.cli.terminal import readable
from wandb_mirror.errors import BadSettings
from wandb_mirror.jsontext import dumps

FORMATS = ("table", "json", "csv", "parquet", "markdown")
WIDEST_TABLE = 20
"""Columns a table shows at most on a terminal; the other formats show all."""


def write_result(reader: pa.RecordBatchReader, *, name: str, output: str | None) -> None:
    """Write the rows of ``reader`` to ``output`` (default stdout) in the format called ``name``."""
    if name == "parquet":
        if output is None and sys.stdout.isatty():
            raise BadSettings("Parquet is not for reading: name a file with -o FILE")
        with (
            _open_binary(output) as sink,
            arrow_parquet.ParquetWriter(sink, reader.schema) as writer,
        ):
            for batch in reader:
                writer.write_batch(batch)
    elif name == "csv":
        with _open_binary(output) as sink, arrow_csv.CSVWriter(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
    else:
        with _open_text(output) as sink:
            WRITERS[name](reader, sink)


def _write_json(reader: pa.RecordBatchReader, sink: IO[str]) -> None:
    """Write one array of objects; non-finite numbers are strings, times are ISO 8601 with Z."""
    sink.write("[")
    separator = "\n"
    for row in _rows(reader):
        sink.write(separator + dumps({name: _plain(value) for name, value in row.items()}))
        separator = ",\n"
    sink.write("\n]\n")


def _write_table(reader: pa.RecordBatchReader, sink: IO[str]) -> None:
    """Draw a table as wide as the terminal, or as wide as it needs where there is none."""
    is_terminal = sink.isatty()
    console = Console(file=sink, width=None if is_terminal else 10_000, soft_wrap=not is_terminal)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    names = list(reader.schema.names)
    shown = names[:WIDEST_TABLE] if is_terminal else names
    for field in list(reader.schema)[: len(shown)]:
        is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        table.add_column(field.name, justify="right" if is_number else "left", overflow="fold")
    count = 0
    for batch in reader:
        for row in zip(
            *(column.to_pylist() for column in batch.columns[: len(shown)]), strict=True
        ):
            table.add_row(*(_cell(value) for value in row))
            count += 1
    console.print(table)
    left_out = len(names) - len(shown)
    more = f" ({left_out} more columns: --format json)" if left_out else ""
    click.echo(f"{count} row{'' if count == 1 else 's'}{more}", err=True)


def _write_markdown(reader: pa.RecordBatchReader, sink: IO[str]) -> None:
    """Write a Markdown table."""
    names = list(reader.schema.names)
    sink.write("| " + " | ".join(map(_escape, names)) + " |\n")
    sink.write("|" + " --- |" * len(names) + "\n")
    for row in _rows(reader):
        cells = (_escape(_text(value)) for value in row.values())
        sink.write("| " + " | ".join(cells) + " |\n")


WRITERS: dict[str, Callable[[pa.RecordBatchReader, IO[str]], None]] = {
    "json": _write_json,
    "table": _write_table,
    "markdown": _write_markdown,
}


def _rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    """Yield rows as dicts; the columns' names are told apart by DuckDB already."""
    names = list(reader.schema.names)
    for batch in reader:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield dict(zip(names, row, strict=True))


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
