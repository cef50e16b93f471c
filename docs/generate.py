"""Write the pages of the docs that are outputs of code: commands, tables, errors.

python docs/generate.py            write them
python docs/generate.py --check    fail where one is out of date
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from diagram import draw_views

from wandb_mirror import errors
from wandb_mirror.cli.main import EXIT_CODES, cli
from wandb_mirror.kinds import KINDS, WORDS
from wandb_mirror.warehouse.views import main_views

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py; change the code, then run: make docs -->\n\n"


def commands_page() -> str:
    """Return every command's help."""
    parts = ["# Commands\n\nData goes to stdout, talk to stderr.\n"]
    context = click.Context(cli, info_name="wandb-mirror", max_content_width=100)
    parts.append(f"```text\n{cli.get_help(context)}\n```\n")
    for name in sorted(cli.commands):
        command = cli.commands[name]
        inner = click.Context(command, parent=context, info_name=name, max_content_width=100)
        parts.append(f"## {name}\n\n```text\n{command.get_help(inner)}\n```\n")
    return "\n".join(parts)


def schema_page() -> str:
    """Return every published view with its columns."""
    parts = [
        "# The DuckDB file\n\n"
        "Schema `main` holds all projects together. Every project has a schema of its own, named\n"
        "`entity/project`, with `runs` (a column a config and summary key) and `history` (a column\n"
        'a metric): `SELECT * FROM "team/vision".runs`.\n\n'
        "Times are naive UTC. JSON is text, and valid everywhere: numbers that are not finite are\n"
        'the strings `"NaN"`, `"Infinity"` and `"-Infinity"` in it, and real ones in numeric columns.\n\n'
        + draw_views()
    ]
    for view in main_views("https://wandb.ai"):
        rows = [f"| `{each.name}` | {each.type} | {each.about} |" for each in view.columns]
        head = "| column | type | what it is |\n| --- | --- | --- |"
        parts.append(f"## {view.name}\n\n{view.about}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def errors_page() -> str:
    """Return the errors, by what to do next, and the exit codes."""
    parts = ["# Errors and exit codes\n", "| code | when |\n| --- | --- |", "| 0 | done |"]
    parts += [f"| {code} | {when} |" for _, code, when in EXIT_CODES]
    parts += ["", "`verify` and `doctor` exit with 1 where something differs or is wrong.", ""]
    for group in (errors.Stop, errors.Retry, errors.Skip):
        parts += [f"## {group.__name__}", "", inspect.getdoc(group) or "", ""]
        parts += ["| error | meaning |", "| --- | --- |"]
        parts += [f"| `{each.__name__}` | {_summary(each)} |" for each in _below(group)]
        parts.append("")
    return "\n".join(parts)


def _below(group: type[Exception]) -> Iterator[type[Exception]]:
    for each in group.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from _below(each)


def _summary(error: type[Exception]) -> str:
    return " ".join((inspect.getdoc(error) or "").split("\n\n")[0].split())


CHOOSING = """\
`sync --only` and `--skip` take the names below, and these words. What `--only` names brings what it is
found by; what `--skip` names takes along what it alone leads to.
"""


def kinds_page() -> str:
    """Return each kind as its own file describes it, with its fields."""
    parts = ["# Kinds: what is mirrored\n", CHOOSING]
    parts += [f"- `{word}`: {', '.join(kinds)}" for word, kinds in WORDS.items()]
    parts.append("")
    for kind in KINDS:
        module = sys.modules[f"wandb_mirror.kinds.{kind.name}"]
        parts.append(f"## {kind.plural}\n\n{inspect.getdoc(module)}\n")
        parts.append(
            "| column | upstream | type | read | what it is |\n| --- | --- | --- | --- | --- |"
        )
        parts += [
            f"| `{field.column}` | `{kind.upstream_type}.{field.source}` | {field.type.value} | "
            f"{'whole' if field.is_heavy else 'listing'} | {field.about} |"
            for field in kind.fields
        ]
        parts.append("")
    return "\n".join(parts)


PAGES = {
    "cli.md": commands_page,
    "schema.md": schema_page,
    "errors.md": errors_page,
    "kinds.md": kinds_page,
}


def main() -> None:
    """Write the pages, or compare them."""
    stale = []
    for name, make in PAGES.items():
        path, text = HERE / name, NOTE + make().rstrip() + "\n"
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}; run: make docs")


if __name__ == "__main__":
    main()
