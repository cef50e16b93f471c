"""The house keeps its own rules: sizes, names, docs."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wandb_mirror
from wandb_mirror import errors
from wandb_mirror.cli.main import cli
from wandb_mirror.kinds import KINDS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "wandb_mirror"
MODULES = sorted(SOURCE.rglob("*.py"))


def test_no_module_is_longer_than_300_lines():
    long = {
        str(path.relative_to(ROOT)): n
        for path in MODULES
        if (n := len(path.read_text().splitlines())) > 302
    }
    assert long == {}


def test_no_function_is_longer_than_60_lines():
    long = [
        f"{path.name}:{node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno > 60
    ]
    assert long == []


@pytest.mark.parametrize("room", ["pull", "push", "query", "store", "upstream", "desk"])
def test_no_room_knows_a_kind_by_name(room):
    scopes = {"project", "run"}  # a scope is no kind, though two kinds are scopes
    scopes |= {"sweep"}  # a word of W&B's filters for a run's column
    names = (
        {kind.name for kind in KINDS}
        | {kind.plural for kind in KINDS}
        | {kind.name.upper() for kind in KINDS}
    )
    found = []
    for path in sorted((SOURCE / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in names - scopes:
                found.append(f"{path.name}:{node.lineno}: {node.value!r}")
            if isinstance(node, ast.Name) and node.id in {each.upper() for each in names}:
                found.append(f"{path.name}:{node.lineno}: {node.id}")
            if isinstance(node, ast.Compare) and any(
                isinstance(each, ast.Attribute) and each.attr in ("name", "plural")
                for each in ast.walk(node)
            ):
                found += [
                    f"{path.name}:{node.lineno}: {each.value!r}"
                    for each in ast.walk(node)
                    if isinstance(each, ast.Constant) and each.value in names
                ]
    assert found == []


def test_the_drawing_of_the_errors_is_the_tree_of_the_classes():
    drawn = []
    stack = []
    for line in inspect.getdoc(errors).splitlines():
        if not re.fullmatch(r" *[A-Z]\w+( \(ValueError\))?", line):
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        stack[depth:] = [name]
        drawn.append((name, stack[depth - 1] if depth else None))
    classes = [
        (name, each.__bases__[0].__name__ if each is not errors.MirrorError else None)
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, errors.MirrorError)
    ]
    assert sorted(drawn, key=str) == sorted(classes, key=str)


def test_the_public_names_are_sorted_and_there():
    assert wandb_mirror.__all__ == sorted(wandb_mirror.__all__)
    assert all(hasattr(wandb_mirror, name) for name in wandb_mirror.__all__)


@pytest.mark.parametrize("script", ["generate.py", "pictures.py"])
def test_the_pages_and_pictures_that_are_made_from_code_are_up_to_date(script):
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / script, "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_command_of_the_readme_is_there_with_its_flags():
    text = (ROOT / "README.md").read_text()
    known = {
        option
        for command in [cli, *cli.commands.values()]
        for each in command.params
        for option in each.opts
    }
    for line in re.findall(r"wandb-mirror ((?:--?\w[^\n]*?)?\b[a-z]+[^\n]*)", text):
        words = line.split()
        commands = [word for word in words if word in cli.commands]
        flags = [word for word in words if word.startswith("--")]
        assert [flag for flag in flags if flag not in known] == [], line
        assert (
            commands
            or "://" in line
            or "/" in words[0]
            or words[0].startswith("-")
            or "is" in words
        ), line


def test_every_command_has_help():
    assert [
        name for name, command in cli.commands.items() if not (command.help or "").strip()
    ] == []


def test_what_reads_is_imported_without_what_pulls_and_writes():
    code = (
        "import sys\nimport wandb_mirror.mirror.reader\n"
        "print([name for name in ('sqlalchemy', 'alembic', 'httpx', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_starts_without_what_is_heavy():
    code = (
        "import sys\nfrom wandb_mirror.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('duckdb', 'sqlalchemy', 'pandas', 'pyarrow', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
