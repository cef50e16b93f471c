"""Write the next migration: what the tables made from the kinds have and the last one lacks.

python migrations/generate.py "what it is for"
"""

import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def main(words: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        known = ScriptDirectory.from_config(config).get_current_head()
        number = f"{int(known or 0) + 1:04}"
        command.revision(config, words, autogenerate=True, rev_id=number)
    print(f"now set HEAD in src/wandb_mirror/store/engine.py to {number!r}")  # noqa: T201


main(sys.argv[1])
