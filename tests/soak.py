"""The laws of syncing at full counts: what ``make soak`` prints goes into docs/reliability.md.

    python tests/soak.py [--short] [changes] [faults] [crashes] [readers]

Ends with an error at the first law that does not hold.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from hypothesis import HealthCheck, settings  # noqa: E402
from hypothesis.stateful import run_state_machine_as_test  # noqa: E402

from mirror import test_kill as kill  # noqa: E402
from mirror.changing import Changing  # noqa: E402
from mirror.faulty import FAULTS, sync_through  # noqa: E402
from mirror.making import TEAM, make_world, open_mirror  # noqa: E402
from mirror.test_readers import publish_to_readers  # noqa: E402
from wandb_mirror.sandbox import Sandbox  # noqa: E402
from wandb_mirror.upstream.client import Client  # noqa: E402
from wandb_mirror.upstream.pace import Pace  # noqa: E402


def soak_changes(examples: int, steps: int) -> None:
    """Run the change law under each behaviour of the time of the latest change."""
    for updated_at in ("moves", "still", "absent"):
        machine = type("Machine", (Changing,), {"updated_at": updated_at})
        chosen = settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        began = time.perf_counter()
        run_state_machine_as_test(machine, settings=chosen)
        say("change", f"`updatedAt` {updated_at}", machine.syncs, began)


def soak_faults(seeds: int) -> None:
    """Run the fault law with all faults at once and with each alone."""
    Client._sleep = lambda _self, _seconds: None
    Pace.pause = lambda _self, _seconds: None
    for name, faults in {"all at once": FAULTS, **{n: {n: f} for n, f in FAULTS.items()}}.items():
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as place:
            taken = [sync_through(Path(place), faults, seed=seed) for seed in range(seeds)]
        say("fault", f"{name}, in 10% of replies", sum(taken), began)


def soak_crashes(requests: Mapping[str, int], commits: int, **size: int) -> None:
    """Kill syncs at so many requests and commits, from an empty folder and from an old mirror."""
    world = make_world(seed=3, **size)
    with Sandbox(world, max_page=3) as box, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        open_mirror(folder / "old", box).sync([TEAM])
        kill.change(world)
        starts = {
            "an old mirror": kill.sync_unbroken(box, folder / "old", folder / "wanted"),
            "nothing": kill.sync_unbroken(box, None, folder / "fresh"),
        }
        for name, start in starts.items():
            kill_at(name, start, "request", requests[name])
            kill_at(name, start, "commit", commits)
        for where in ("copied", "renaming", "renamed"):
            kill_at("an old mirror", starts["an old mirror"], where, 1)
    with kill.exporting(runs=4 * size["runs"]) as box, tempfile.TemporaryDirectory() as place:
        start = kill.sync_unbroken(box, None, Path(place) / "fresh", **kill.BY_FILES)
        for where in ("file", "commit"):
            kill_at("nothing, by exported files", start, where, commits)


def kill_at(name: str, start: kill.Start, where: str, wanted: int) -> None:
    """Kill syncs at places of one sort, the first and the last of them among them."""
    began = time.perf_counter()
    places = start.places.get(where, 1)
    chosen = sorted(set(kill.spread(places, min(wanted, places)))) if places > 1 else [1]
    twice = 0
    for number in chosen:
        with tempfile.TemporaryDirectory() as once:
            twice = max(twice, kill.kill_and_finish(Path(once), start, where, number))
    at = f"at {len(chosen)} of {places} {where}s" if places > 1 else f"when {where}"
    say("crash", f"from {name}, {at}; at most {twice} pages fetched twice", len(chosen), began)


def soak_readers(publications: int) -> None:
    """Publish so often to processes that read without a pause."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        publish_to_readers(Path(place), publications)
    say("readers", "two processes read through every publication", publications, began)


def say(law: str, what: str, count: int, began: float) -> None:
    """Print a row of the table."""
    print(f"| {law} | {what} | {count} | {time.perf_counter() - began:.0f} s |", flush=True)


def main() -> None:
    """Run the parts named, or everything."""
    is_short = "--short" in sys.argv
    parts = {
        "changes": lambda: soak_changes(2, 10) if is_short else soak_changes(15, 40),
        "faults": lambda: soak_faults(1 if is_short else 4),
        "crashes": lambda: (
            soak_crashes({"nothing": 2, "an old mirror": 2}, 2, runs=3)
            if is_short
            else soak_crashes({"nothing": 60, "an old mirror": 20}, 20, runs=17, steps=700)
        ),
        "readers": lambda: soak_readers(10 if is_short else 200),
    }
    named = [each for each in sys.argv[1:] if each in parts]
    print("| law | under | syncs | took |\n|---|---|---|---|", flush=True)
    for part in named or parts:
        parts[part]()
    print("\nevery law held")


if __name__ == "__main__":
    main()
