"""Write the next migration: what the tables made from the kinds have and the last one lacks.

python migrations/generate.py "what it is for"
"""

import re
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def main(words: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).resolve().parent))
    known = ScriptDirectory.from_config(config).get_current_head()
    number = f"{int(known or 0) + 1:04}"
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        script = command.revision(config, words, autogenerate=True, rev_id=number)
    file = Path(script.path)
    file.write_text(re.sub(r"(?m)^ *# ### .*\n", "", file.read_text()))
    print(f"now set HEAD in src/wandb_mirror/store/engine.py to {number!r}")  # noqa: T201


main(sys.argv[1])
