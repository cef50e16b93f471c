"""How each field of a run is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

from wandb_mirror.sandbox.artifact_reads import RUN_ARTIFACTS
from wandb_mirror.sandbox.console import CONSOLE_READS, RUN_CONSOLE_READS
from wandb_mirror.sandbox.context import Context
from wandb_mirror.sandbox.exports import find_live_rows
from wandb_mirror.sandbox.history import sample
from wandb_mirror.sandbox.objects import Run
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Ask, Raw, Resolve, plain
from wandb_mirror.sandbox.stored_files import files_of_run, page_of_files

DEFAULT_SAMPLES = 500


def _wandb_config(run: Run, ask: Ask) -> str:
    entry = run.config_values.get("_wandb")
    values = entry.get("value", {}) if isinstance(entry, dict) else {}
    return json.dumps(_only(values, ask.get("keys")))


def _config(run: Run, ask: Ask) -> str | None:
    keys = ask.get("keys")
    return run.config if keys is None else json.dumps(_only(run.config_values, keys))


def _summary(run: Run, ask: Ask) -> str | None:
    keys = ask.get("keys")
    return run.summary if keys is None else json.dumps(_only(run.summary_values, keys))


def _only(values: Mapping[str, Any], keys: Sequence[str] | None) -> Mapping[str, Any]:
    return values if keys is None else {key: values[key] for key in keys if key in values}


def _history_keys(run: Run, _ask: Ask) -> Any:
    last_step = run.history.last_step
    if last_step is None:
        return None
    keys = run.history.keys()
    return {"sets": [sorted(keys)], "keys": keys, "lastStep": last_step}


def _lines(ask: Ask, lines: Sequence[str]) -> Sequence[str]:
    if ask.context.behaviour.drops_nan_rows:
        return [line for line in lines if "NaN" not in line]
    return lines


def _as_array(lines: Sequence[str]) -> Raw:
    """Return lines as a JSON array of strings."""
    return Raw("[" + ",".join(map(encode_basestring_ascii, lines)) + "]")


def _weigh(ask: Ask, size: int) -> None:
    """Count bytes of rows; raises ``QueryProblem`` when they are more than the server stands."""
    context: Context = ask.context
    context.window_bytes += size
    limit = context.behaviour.max_window_bytes
    if limit is not None and context.window_bytes > limit:
        raise QueryProblem("upstream", status=context.behaviour.too_large_status)


def _history(run: Run, ask: Ask) -> Raw:
    lines = run.history.lines(ask.get("minStep"), ask.get("maxStep"))
    chosen = sample(_lines(ask, lines), _most(ask, ask.get("samples")))
    array = _as_array(chosen)
    _weigh(ask, len(array))
    return array


def _most(ask: Ask, samples: int | None) -> int:
    """Return how many rows come for a question that asks for so many samples."""
    most = DEFAULT_SAMPLES if samples is None else samples
    limit = ask.context.behaviour.max_samples
    return most if limit is None else min(most, limit)


def _events(run: Run, ask: Ask) -> Raw:
    samples = ask.get("samples")
    return _as_array(sample(run.events, DEFAULT_SAMPLES if samples is None else samples))


def _sampled_history(run: Run, ask: Ask) -> list[Any]:
    """Return rows for each spec: only those that have all its keys, and nothing but these."""
    replies = []
    for text in ask.arguments["specs"]:
        try:
            spec = json.loads(text)
            keys = [str(key) for key in spec["keys"]]
        except (ValueError, KeyError, TypeError) as error:
            raise QueryProblem(f"invalid spec {text!r}", status=400) from error
        max_step = spec.get("maxStep")
        lines = run.history.lines(spec.get("minStep"), None if max_step is None else max_step + 1)
        rows = [_pick(json.loads(line), keys) for line in _lines(ask, lines)]
        whole = [row for row in rows if len(row) == len(set(keys))]
        chosen = sample_rows(whole, _most(ask, spec.get("samples")))
        if ask.context.behaviour.max_window_bytes is not None:
            _weigh(ask, len(json.dumps(chosen)))
        replies.append(chosen)
    return replies


def sample_rows(rows: list[Any], samples: int) -> list[Any]:
    """Return at most ``samples`` rows, spread evenly."""
    places = sample([str(place) for place in range(len(rows))], samples)
    return [rows[int(place)] for place in places]


def _pick(row: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return the keys of a row; a dot in a key reaches into what is nested."""
    picked = {}
    for key in keys:
        value: Any = row
        if key in row:
            picked[key] = row[key]
            continue
        for part in key.split("."):
            value = value.get(part, picked) if isinstance(value, dict) else picked
        if value is not picked:
            picked[key] = value
    return picked


def _tail(lines: Sequence[str]) -> str:
    """Return the last line, as JSON text of an array."""
    return json.dumps(list(lines[-1:]))


def _live_data(asked: tuple[Run, Sequence[str]], ask: Ask) -> Sequence[Any]:
    run, keys = asked
    return find_live_rows(run, ask.context.behaviour, keys)


def _parquet_urls(asked: tuple[Run, Sequence[str]], ask: Ask) -> list[str]:
    context: Context = ask.context
    context.is_passing = True
    world = context.world
    paths = world.exports.sign(asked[0], context.behaviour, world.tickets)
    return [context.store_url + path for path in paths]


RUN_READS: dict[str, dict[str, Resolve]] = {
    "Run": {
        "id": plain("storage_id"),
        "name": plain("run_id"),
        "displayName": plain("display_name"),
        "description": plain("description"),
        "notes": plain("notes"),
        "tags": plain("tags"),
        "state": plain("state"),
        "config": _config,
        "wandbConfig": _wandb_config,
        "summaryMetrics": _summary,
        "systemMetrics": plain("system_metrics"),
        "group": plain("group"),
        "jobType": plain("job_type"),
        "commit": plain("commit"),
        "host": plain("host"),
        "sweepName": plain("sweep_name"),
        "readOnly": lambda run, _ask: run.project.is_read_only,
        "createdAt": plain("created_at"),
        "heartbeatAt": plain("heartbeat_at"),
        "updatedAt": plain("updated_at"),
        "computeSeconds": plain("compute_seconds"),
        "stopped": plain("is_stopped"),
        "fileCount": lambda run, _ask: len(run.uploads),
        "files": lambda run, ask: page_of_files(files_of_run(run), ask),
        **RUN_ARTIFACTS,
        "historyLineCount": plain("history.line_count"),
        "eventsLineCount": lambda run, _ask: len(run.events),
        "historyKeys": _history_keys,
        "historyTail": lambda run, _ask: _tail(run.history.lines(run.history.last_step)),
        "eventsTail": lambda run, _ask: _tail(run.events),
        "history": _history,
        "events": _events,
        "sampledHistory": _sampled_history,
        "parquetHistory": lambda run, ask: (
            None if ask.context.behaviour.exports == "null" else (run, ask.arguments["liveKeys"])
        ),
        **RUN_CONSOLE_READS,
        "project": plain("project"),
        "projectId": lambda run, _ask: str(run.project.number),
        "user": plain("user"),
    },
    **CONSOLE_READS,
    "ParquetHistory": {"liveData": _live_data, "parquetUrls": _parquet_urls},
}
