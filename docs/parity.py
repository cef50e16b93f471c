"""Write docs/wandb-parity.md: every public member of W&B's client, and what becomes of it here.

python docs/parity.py            write it
python docs/parity.py --check    fail where it is out of date, or a member is not decided about

The real package is walked (``wandb`` 0.31 must be installed), so a new release shows what is new.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wandb_mirror.api.refusals import Refused

PAGE = Path(__file__).parent / "wandb-parity.md"
THEIRS = {
    "Api": "apis.public.Api",
    "Runs": "apis.public.Runs",
    "Run": "apis.public.Run",
    "HTTPSummary": "apis.public.summary.HTTPSummary",
    "HistoryScan": "apis.public.HistoryScan",
    "Projects": "apis.public.Projects",
    "Project": "apis.public.Project",
    "Sweeps": "apis.public.Sweeps",
    "Agent": "apis.public.sweeps.Agent",
    "Sweep": "apis.public.Sweep",
    "Files": "apis.public.Files",
    "File": "apis.public.File",
    "ConsoleLogs": "apis.public.ConsoleLogs",
    "ConsoleLogLine": "apis.public.ConsoleLogLine",
    "ArtifactTypes": "apis.public.ArtifactTypes",
    "ArtifactType": "apis.public.ArtifactType",
    "ArtifactCollections": "apis.public.ArtifactCollections",
    "ProjectArtifactCollections": "apis.public.ProjectArtifactCollections",
    "ArtifactCollection": "apis.public.ArtifactCollection",
    "Artifacts": "apis.public.Artifacts",
    "RunArtifacts": "apis.public.RunArtifacts",
    "ArtifactFiles": "apis.public.ArtifactFiles",
    "Artifact": "sdk.artifacts.artifact.Artifact",
    "ArtifactManifest": "sdk.artifacts.artifact_manifest.ArtifactManifest",
    "ArtifactManifestEntry": "sdk.artifacts.artifact_manifest_entry.ArtifactManifestEntry",
    "Registries": "apis.public.Registries",
    "Registry": "apis.public.Registry",
    "Reports": "apis.public.Reports",
    "BetaReport": "apis.public.BetaReport",
    "Team": "apis.public.Team",
    "Member": "apis.public.Member",
    "User": "apis.public.User",
    "Organization": "apis.public.organizations.Organization",
    "Automations": "apis.public.Automations",
    "Integrations": "apis.public.Integrations",
    "SlackIntegrations": "apis.public.SlackIntegrations",
    "WebhookIntegrations": "apis.public.WebhookIntegrations",
}
"""Class to where it is below ``wandb``."""
OURS = {
    "Api": "api.Api",
    "Runs": "runs.Runs",
    "Run": "run.Run",
    "HTTPSummary": "summary.HTTPSummary",
    "HistoryScan": "history.HistoryScan",
    "Projects": "projects.Projects",
    "Project": "projects.Project",
    "Sweeps": "sweeps.Sweeps",
    "Agent": "sweeps.Agent",
    "Sweep": "sweeps.Sweep",
    "Files": "files.Files",
    "File": "files.File",
    "ConsoleLogs": "console.ConsoleLogs",
    "ConsoleLogLine": "console.ConsoleLogLine",
    "ArtifactTypes": "artifacts.ArtifactTypes",
    "ArtifactType": "artifacts.ArtifactType",
    "ArtifactCollections": "artifacts.ArtifactCollections",
    "ProjectArtifactCollections": "artifacts.ArtifactCollections",
    "ArtifactCollection": "artifacts.ArtifactCollection",
    "Artifacts": "artifacts.Artifacts",
    "RunArtifacts": "artifacts.RunArtifacts",
    "ArtifactFiles": "artifact.ArtifactFiles",
    "Artifact": "artifact.Artifact",
    "ArtifactManifest": "manifest.ArtifactManifest",
    "ArtifactManifestEntry": "manifest.ArtifactManifestEntry",
    "Registries": "registries.Registries",
    "Registry": "registries.Registry",
    "Reports": "reports.Reports",
    "BetaReport": "reports.BetaReport",
    "Team": "teams.Team",
    "Member": "teams.Member",
    "User": "users.User",
    "Organization": "organizations.Organization",
    "Automations": "automations.EntityAutomations",
    "Integrations": "automations.Integrations",
    "SlackIntegrations": "automations.Integrations",
    "WebhookIntegrations": "automations.Integrations",
}
"""Class to where it is below ``wandb_mirror.api``."""
ABSENT = {
    "AgentRuns": "`agent.runs()` returns `Runs`",
    "Job": "launch is not mirrored",
    "QueuedRun": "launch is not mirrored",
    "RunQueue": "launch is not mirrored",
    "RunQueueAccessType": "launch is not mirrored",
    "RunQueuePrioritizationMode": "launch is not mirrored",
    "RunQueueResourceType": "launch is not mirrored",
    "QueryGenerator": "a helper of the client; write filters as docs/filters.md says",
    "PanelMetricsHelper": "a helper of the client",
    "PythonMongoishQueryGenerator": "a helper of the client; write filters as docs/filters.md says",
    "DownloadHistoryResult": "history is here already: `run.scan_history().to_arrow()`",
    "IncompleteRunHistoryError": "history is here already; `history_status` says how much of it",
}
"""Public classes that have no counterpart, and why."""
PAGER = "how the client talks to its server"
LEFT_OUT = {
    "QUERY": PAGER,
    "convert_objects": PAGER,
    "update_variables": PAGER,
    "last_response": PAGER,
    "model_dump": "a detail of the client's validation",
    "model_dump_json": "a detail of the client's validation",
    "model_config": "a detail of the client's validation",
    "model_post_init": "a detail of the client's validation",
}
"""Members without a counterpart in any class, and why."""
LEFT_OUT_OF = {
    "ArtifactManifest": {
        "from_manifest_json": "content is made by wandb.Artifact",
        "to_manifest_json": "content is made by wandb.Artifact",
        "hash_contents_with_md5": "content is made by wandb.Artifact",
        "digest": "`artifact.digest` is upstream's",
        "digest_algorithm": "not mirrored",
        "version": "a detail of the file format",
        "storage_policy": "a detail of the file format",
        "manifest_version": "a detail of the file format",
    },
    "ArtifactManifestEntry": {
        "birth_artifact_id": "not mirrored",
        "local_path": "a detail of uploading",
        "skip_cache": "there is one copy, the mirror's",
        "ref_url": "upstream's addresses need the network",
        "to_json": "a detail of the file format",
        "digest_algorithm": "not mirrored",
    },
    "Sweep": {"get": "`api.sweep(path)`"},
    "ArtifactCollection": {
        "load": "it is there",
    },
    "Organization": {"service_api": PAGER},
    "ConsoleLogs": {},
}
"""Members without a counterpart in one class, and why."""
FROM_HERE = (
    "of bytes that `wandb-mirror download` or `Api(online=True)` fetched; else `NotDownloaded`"
)
DIFFERS = {
    "Api": {
        "runs": "a malformed filter or an unknown field is an error (`BadFilter`), not a server's "
        "failure or an empty list; keys with dots in them match; ties are broken by the run's id",
        "default_entity": "as of the last sync",
        "viewer": "as of the last sync",
        "flush": "what is asked next is of the newest publication; without it, so is each new list",
        "project": "an unknown one is a `NotMirrored` (a `ValueError`, as there)",
        "from_path": "a report is read, not only named",
        "user_agent": "names the mirror",
        "user": "among the users that the mirror saw",
        "users": "among the users that the mirror saw",
        "registries": "an organization that no mirrored team is of is a `NotMirrored`",
        "artifact_types": "an unknown project is a `NotMirrored`; types that `artifacts.skip_types` "
        "leaves out are not there",
        "artifacts": "an unknown collection is a `NotMirrored`, at once",
        "automations": "`event`, `action` and `scope` are what the wire has, answering to dots",
    },
    "Runs": {
        "upgrade_to_full": "does nothing: config and summary are read a page at a time anyway",
        "histories": "reads what is local; which rows upstream samples is not known",
    },
    "Run": {
        "state": "in lower case, always",
        "rawconfig": "without W&B's own keys (`_wandb`), which are not published",
        "json_config": "without W&B's own keys, and with `desc` null",
        "config": "a key named `value` is unwrapped once, not twice; `NaN` and infinities are numbers "
        "also where W&B's strings for them were sent",
        "summary": "`NaN` and infinities are numbers also where W&B's strings for them were sent",
        "history": "which rows upstream samples is not known: here they are spread evenly, the first "
        "and the last among them; wrong `keys` are an error, not an empty list; `_step` comes first",
        "scan_history": "every row, also of integers past 64 bits; `use_cache` means nothing",
        "metadata": "None until `wandb-metadata.json` is here: `wandb-mirror download --run-files PATH`",
        "update": "queues what was edited, and nothing else; `wandb-mirror push` sends it",
        "save": "the same as `update`",
        "wait_until_finished": "waits for a publication that shows the end: something else must sync",
        "load": "with `force`, from the newest publication",
        "load_full_data": "with `force`, from the newest publication",
        "lastHistoryStep": "the last step that is stored",
        "username": "says nothing about being deprecated",
        "beta_scan_history": "says nothing about being deprecated",
    },
    "HTTPSummary": {
        "update": "merges here, then queues what was edited; `wandb-mirror push` sends it",
        "load": "does nothing",
    },
    "Project": {
        "owner": "with as much as the mirror knows of the user",
        "sweeps": "`order` means nothing, as there",
    },
    "Projects": {},
    "Sweep": {
        "config": "parsed from the mirror's JSON, not YAML",
        "agents": "as of the last sync",
        "agent": "by its id or name; an unknown one is a `NotMirrored`",
        "best_run": "says nothing on the terminal; a run column without a sign sorts by that column",
    },
    "Files": {},
    "File": {"download": FROM_HERE},
    "Artifact": {
        "save": "queues what was edited, and nothing else; `wandb-mirror push` sends it",
        "ttl": "None also where the team says, which only the server knows",
        "digest_algorithm": "text, not an enumeration",
        "linked_at": "also where the real client forgets it, in lists",
        "download": f"{FROM_HERE}; files that lie elsewhere are not followed, "
        "`wandb-mirror download --references --to` fetches them",
        "checkout": FROM_HERE,
        "file": FROM_HERE,
        "is_draft": "always False",
        "wait": "returns at once",
        "metadata": "`NaN` is a number also where W&B's string for it was sent",
        "manifest": "from the mirror, without a download",
        "used_by": "runs of the mirror",
        "logged_by": "a run of the mirror",
    },
    "ArtifactCollection": {
        "save": "queues what was edited, and nothing else; `wandb-mirror push` sends it",
        "change_type": "queues it; says nothing about being deprecated",
    },
    "ArtifactFiles": {},
    "Registry": {
        "save": "refused: a registry is administered with `wandb.Api`",
        "load": "does nothing",
        "artifact_types": "a plain list; what is added to it is local",
    },
    "BetaReport": {
        "runs": "a filter that is switched off is left out; `only_selected` needs no group to add to",
        "user": "has `username`",
    },
    "Team": {"load": "from the newest publication"},
    "Member": {},
    "User": {"teams": "of others than whose key was used, those that are mirrored"},
    "Organization": {},
}
"""What is there and not quite the same."""
INTRO = """\
# Where the mirror and wandb.Api differ

`from wandb_mirror import Api` in place of `wandb.Api`: the same names, answered from the published file
without a network. The real client (`wandb` 0.31) reads the sandbox in `tests/mirror/test_parity.py` and
`tests/api/test_differential.py`, and every run, config and summary value, history row, filter and order is
compared with the mirror's.

## Values

| what | wandb.Api | the mirror |
| --- | --- | --- |
| history: integers past 64 bits (`beyond_uint64`, `negative_beyond`) | the nearest double | exact digits in `json` and in rows, the nearest double in `value` |
| history: negative zero (`negative_zero`) | `0.0` | `-0.0` in `value`, as logged; `0` in rows of whole numbers |
| history: a lone surrogate (`surrogate`) | replaced by U+FFFD | kept in `json` as `"\\ud800 …"` and in rows; `text` has U+FFFD |
| history in exported files: values of several types (`several_types`) | `{"_type_utf8": "one", "_type_float64": null}` | the value, as logged |
| history in exported files: lists of several types (`in_binary`) | base64 of their JSON | the list |
| history in exported files: integers past 2**53 (`rounded`) | the nearest double | exact: such steps are read by pages |
| history in exported files: a key that a row lacks (`filled`) | None | missing |
| history in exported files: rows that are in a file and live as well (`twice`) | twice | once |
| history in exported files: a null that was logged | None | missing: the file does not tell it from a missing one |
| history: the order of keys in a dict | any | as logged; columns come in the order in which the project first logged them |
| history: whole numbers | integers | integers where all values of the key are whole, else floats: 1 equals 1.0 |
| history: keys that begin with `_wandb` | in rows | left out: they are W&B's own |
| history: `_timestamp` and `_runtime` that are null | null | missing |
| W&B's strings `"NaN"`, `"Infinity"`, `"-Infinity"` | strings, where they were sent as such | numbers |
| `history(stream="system")` | columns as logged, and `_wandb` | columns by name, without `_wandb` |
| a stream that is neither `default` nor `system` | the system's | an error |
| negative indexes and open slices of lists | `TypeError` | as Python's lists have them |
| a filter with a time that lacks its `Z` | matches nothing | UTC |
| times of automations | `datetime` | ISO 8601 text |
| the address of a webhook | whole | without its query string, and with `[redacted]` where its path has what looks like a key |
| a run whose `user` is null | raises `TypeError` | mirrored, `user` is None |
| `sets` of `history_keys` | upstream's | left out: not mirrored |
| filters on keys with a dot in them | never match (upstream's own limit) | match |
| filters: `$exists` on a field of the run itself that is empty (`group`, `jobType`) | true | false |
| orders: missing values and NaN | upstream's choice | last in both directions |
| the state of a sweep, of an agent, and of a run that upstream shouts | as sent (`RUNNING`) | in lower case |
| `config` of a sweep whose YAML is broken | an error | `{}` |
| a run, project or sweep that is not there | `CommError`, `ValueError` | `NotMirrored`, which is a `ValueError` |
| `wandb-mirror history` on the command line | 500 samples by default | every row; `--samples` says that it samples |

Where rows of a history are missing (`run.history_status`), reading it warns with `IncompleteHistory`.
What a mirror cannot do raises one error, `wandb_mirror.errors.OnlyUpstream`, with what to use instead.

More than the client has: `runs.to_pandas()`, `.to_polars()`, `.to_arrow()` (config and summary as columns),
`runs.scan_histories(keys)` (many runs in one query), `runs.best(metric)` and `runs.importance(metric)`,
`save()` of reports, sweeps and projects, `scan_history().to_pandas()`, `Api(include_deleted=True)`, negative indexes and open slices of any list.

## Members

*same*: name, parameters, defaults and meaning. *left out*: no member, and nothing for users in it.
"""


class Member(NamedTuple):
    """A public member of the client, and what becomes of it."""

    owner: str
    name: str
    verdict: str


def find(root: str, path: str) -> Any:
    """Return a class by its dotted path below a package."""
    module, _, name = f"{root}.{path}".rpartition(".")
    return getattr(importlib.import_module(module), name)


def public_names(theirs: type) -> list[str]:
    """Return the public members that a class of the client defines or inherits from the client."""
    names = [
        name
        for each in theirs.__mro__
        if each.__module__.startswith("wandb.")
        for name in [*vars(each), *getattr(each, "__annotations__", {})]
        if not name.startswith("_")
    ]
    return sorted(set(names), key=str.lower)


def own_names(ours: type) -> set[str]:
    """Return the members of a class of ours, those set on objects included."""
    names = set(dir(ours))
    for each in ours.__mro__[:-1]:
        if not each.__module__.startswith("wandb_mirror"):
            continue
        names |= set(getattr(each, "__annotations__", {}))
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(each)))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
            if isinstance(node, ast.Dict):  # upstream's fields, read through Attrs
                keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
                names |= {re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", str(key)).lower() for key in keys}
    return names


def judge(owner: str, name: str) -> str | None:
    """Return what becomes of a member, None where nobody decided."""
    ours = find("wandb_mirror.api", OURS[owner])
    left_out = LEFT_OUT_OF.get(owner, {}).get(name) or LEFT_OUT.get(name)
    member = inspect.getattr_static(ours, name, None)
    if isinstance(member, Refused):
        return f"refused: {member.why}"
    if name in own_names(ours):
        how = DIFFERS.get(owner, {}).get(name)
        return f"differs: {how}" if how else "same"
    return f"left out: {left_out}" if left_out else None


def members() -> Iterator[tuple[Member, bool]]:
    """Yield every public member, and whether it was decided about."""
    for owner, path in THEIRS.items():
        for name in public_names(find("wandb", path)):
            verdict = judge(owner, name)
            yield Member(owner, name, verdict or ""), verdict is not None


def make_page() -> str:
    """Return the page; exits with what nobody decided about."""
    found = list(members())
    if open_ones := [f"{each.owner}.{each.name}" for each, decided in found if not decided]:
        sys.exit(f"decide about {', '.join(open_ones)} in docs/parity.py")
    parts = ["<!-- Written by docs/parity.py; change the code, then run: make docs -->\n", INTRO]
    for owner in THEIRS:
        rows = [each for each, _ in found if each.owner == owner]
        same = [f"`{each.name}`" for each in rows if each.verdict == "same"]
        parts.append(f"### {owner}\n")
        if same:
            parts.append(f"Same: {', '.join(same)}.\n")
        other = [each for each in rows if each.verdict != "same"]
        if other:
            parts.append("| member | here |\n| --- | --- |")
            parts += [f"| `{each.name}` | {each.verdict} |" for each in other]
            parts.append("")
    parts.append("### Classes without a counterpart\n\n| class | why |\n| --- | --- |")
    parts += [f"| `{name}` | {why} |" for name, why in ABSENT.items()]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    """Write the page, or compare it."""
    text = make_page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.exit("out of date: wandb-parity.md; run: make docs")


if __name__ == "__main__":
    main()
