"""Try it without an account: ``sandbox`` and ``demo``."""

from __future__ import annotations

from pathlib import Path

import click

from wandb_mirror.cli.context import Wish, pass_wish

SIZE_OPTIONS = (
    click.option("--projects", type=click.IntRange(1, 1000), default=2, show_default=True),
    click.option(
        "--runs", type=click.IntRange(0), default=40, show_default=True, help="A project."
    ),
    click.option("--steps", type=click.IntRange(0), default=200, show_default=True, help="A run."),
    click.option("--metrics", type=click.IntRange(1), default=6, show_default=True, help="A step."),
    click.option("--seed", type=int, default=0, show_default=True),
)


def sized(command: click.Command) -> click.Command:
    """Give a command the options that say how much to generate."""
    for option in reversed(SIZE_OPTIONS):
        option(command)
    return command


@click.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option("--latency-ms", type=click.FloatRange(0), default=0.0, help="Added to each reply.")
@click.option(
    "--older", is_flag=True, help="As a server from before windows of steps, exports and the like."
)
def sandbox_command(port: int, latency_ms: float, *, older: bool, **size: int) -> None:
    """Serve generated data as a W&B server would, on loopback, until Ctrl-C.

    Needs the extra 'sandbox': pip install 'wandb-mirror[sandbox]'.
    """
    from wandb_mirror.cli.playground import Size, serve  # noqa: PLC0415

    serve(Size(**size), port=port, latency_ms=latency_ms, is_older=older)


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-mirror"),
    show_default=True,
    help="Where the mirror goes.",
)
@pass_wish
def demo_command(wish: Wish, /, folder: Path, **size: int) -> None:
    """Mirror a generated server and ask it four things; no account needed.

    Needs the extra 'sandbox': pip install 'wandb-mirror[sandbox]'.
    """
    from wandb_mirror.cli.playground import Size, demonstrate  # noqa: PLC0415

    demonstrate(wish, folder, Size(**size))


COMMANDS = (sized(sandbox_command), sized(demo_command))
