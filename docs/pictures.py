"""Draw the README's picture: what a terminal shows of a mirror, from commands that are really run.

python docs/pictures.py            draw it
python docs/pictures.py --check    fail where the commands answer otherwise now
"""

from __future__ import annotations

import html
import re
import shlex
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner
from rich.console import Console
from rich.text import Text

from wandb_mirror.cli.main import cli

PICTURE = Path(__file__).parent / "terminal.svg"
PROJECT = "demo-team/mnist-baselines"
COMMANDS = (
    f"""wandb-mirror runs {PROJECT} --filter '{{"state": "finished", "config.lr": {{"$gte": 0.01}}}}' \\
--order -summary_metrics.val/accuracy --limit 3 --columns name,config.lr,summary.val/accuracy""",
    """wandb-mirror sql 'SELECT run_id, min AS lowest_loss, min_step FROM metric_stats
WHERE key = $metric ORDER BY min LIMIT 3' -p metric=loss""",
    f'wandb-mirror tag {PROJECT} --filter \'{{"state": "crashed"}}\' triage --yes',
    f'wandb-mirror runs {PROJECT} --filter \'{{"tags": "triage"}}\' --limit 2 --columns name,tags',
    "wandb-mirror diff",
)
LONGEST_ANSWER = 9
"""Lines of an answer that the picture shows."""
WIDTH = 112


def ask(mirror: str, command: str) -> str:
    """Return what a command prints to stdout; fails where it fails."""
    words = shlex.split(command.replace("\\\n", ""))[1:]
    arguments = ["--quiet", "--mirror", mirror, *words]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if done.exception is not None or done.return_value:
        sys.exit(f"{command}\nended with {done.return_value}: {done.exception!r}\n{done.stderr}")
    return done.stdout


def show() -> list[tuple[str, str]]:
    """Return each command with its answer, from a mirror of generated data."""
    with tempfile.TemporaryDirectory() as place:
        folder = str(Path(place) / "mirror")
        ask(folder, f"wandb-mirror demo --folder {shlex.quote(folder)}")
        return [(command, ask(folder, command)) for command in COMMANDS]


def draw(shown: list[tuple[str, str]]) -> str:
    """Return a picture of a terminal; nothing in it is fetched from elsewhere."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        for command, answer in shown:
            console.print(Text.assemble(("$ ", "green"), (command, "bold")))
            lines = answer.rstrip().splitlines()
            cut = [*lines[: LONGEST_ANSWER - 1], "…"] if len(lines) > LONGEST_ANSWER else lines
            console.print(Text("\n".join([*cut, ""] if cut else [])))
        drawn = console.export_svg(title="wandb-mirror", unique_id="terminal")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


def words_of(drawn: str) -> list[str]:
    """Return the words that a picture shows; how they are laid out is the library's affair."""
    shown = re.findall(r"<text[^>]*>(.*?)</text>", drawn, flags=re.DOTALL)
    return html.unescape(" ".join(shown)).replace("\xa0", " ").split()


def main() -> None:
    """Draw the picture, or compare it."""
    drawn = draw(show())
    if "--check" not in sys.argv:
        PICTURE.write_text(drawn, encoding="utf-8")
    elif words_of(drawn) != words_of(PICTURE.read_text(encoding="utf-8")):
        sys.exit("the terminal shows something else now; run: make docs")


if __name__ == "__main__":
    main()
