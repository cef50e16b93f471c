"""The views of what is neither a run nor made of runs: sweeps, artifacts, reports and the rest.

Each is a kind's table with its project's names; lists inside a row are written out a row a member.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from wandb_mirror.kinds import kind_named
from wandb_mirror.warehouse.engine import literal
from wandb_mirror.warehouse.tables import COLUMN_TYPES
from wandb_mirror.warehouse.team_views import team_views
from wandb_mirror.warehouse.view_parts import ENTITY, PROJECT, UNQUOTED, View, ViewColumn

SCOPES = {"run_id": "The run's id.", "sweep_id": "The sweep's id.", "agent": "The agent's name."}
"""What the columns are that say where an object was looked for."""
OF_PROJECT = "JOIN _data.projects p ON p.project_no = t.project_no"


def object_views(url: str) -> list[View]:
    """Return the views of objects that hold all projects together."""
    return [
        _sweeps(url),
        _of_project("sweep_agents", "The agents of each sweep."),
        _of_project("agent_runs", "A row a run that an agent of a sweep ran."),
        _of_project("artifact_types", "The types of artifacts in each project."),
        _collections(),
        _artifacts(),
        _members("artifact_aliases", "alias", "aliases", "A row an alias of a version."),
        _members("artifact_tags", "tag", "tags", "A row a tag of a version in a collection."),
        _artifact_files(),
        _artifact_usage(),
        _of_project("run_files", "A row a file of a run; its content is not here."),
        _console_lines(),
        _reports(url),
        _automations(),
        _past_values(),
        *team_views(),
    ]


def _view(name: str, about: str, columns: Sequence[ViewColumn], tail: str) -> View:
    return View("main", name, about, columns, tail)


def _fields(plural: str, *, without: Collection[str] = ()) -> list[ViewColumn]:
    """Return a kind's own columns."""
    return [
        ViewColumn(field.column, COLUMN_TYPES[field.type], f't."{field.column}"', field.about)
        for field in kind_named(plural).fields
        if field.column not in without
    ]


def _books(*, with_deleted: bool = True) -> list[ViewColumn]:
    deleted = ViewColumn(
        "deleted_at", "TIMESTAMP", "t.deleted_at", "When it was found to be gone upstream (UTC)."
    )
    synced = ViewColumn(
        "synced_at", "TIMESTAMP", "t.synced_at", "When its content was last written here (UTC)."
    )
    return [deleted, synced] if with_deleted else [synced]


def _text(name: str, expression: str, about: str) -> ViewColumn:
    return ViewColumn(name, "VARCHAR", expression, about)


def _inside_json(column: str, path: str) -> str:
    """Return SQL for text inside JSON, decoded only where it is valid."""
    return f"CASE WHEN json_valid({column}) THEN json_extract_string({column}, '{path}') END"


def _link(url: str, rest: str) -> ViewColumn:
    link = f"{literal(url + '/')} || p.entity || '/' || p.project || {rest}"
    return _text("url", link, "Where people look at it.")


def _past_values() -> View:
    columns = [
        ENTITY,
        PROJECT,
        _text("kind", "t.kind", "The kind of the object: runs, sweeps, artifacts, …"),
        _text("id", "t.own_key", "Its own id: run_id, sweep_id, artifact_id, collection, …"),
        _text("collection", "nullif(t.within, '')", "For a version, the collection it is in."),
        _text("field", "t.field", "The column of which this is a value."),
        _text("value", "t.value", "What it was, as JSON; where it was NULL there is no row."),
        _text("text", UNQUOTED.format("t.value"), "The same, with strings unquoted."),
        ViewColumn(
            "valid_from", "TIMESTAMP", "t.valid_from", "When a sync found it to be so (UTC)."
        ),
        ViewColumn(
            "valid_to",
            "TIMESTAMP",
            "t.valid_to",
            "When a sync found it to be otherwise or gone (UTC); NULL where it is still so.",
        ),
    ]
    about = "What names, tags, notes, aliases and states were, and when (sync.past_values)."
    return _view("past_values", about, columns, f"FROM _data.past_values t {OF_PROJECT}")


def _sweeps(url: str) -> View:
    columns = [
        ENTITY,
        PROJECT,
        *_fields("sweeps", without=("agents",)),
        _text("metric_name", _inside_json("t.config", "$.metric.name"), "The metric it optimises."),
        _text("metric_goal", _inside_json("t.config", "$.metric.goal"), "minimize or maximize."),
        _link(url, "'/sweeps/' || t.sweep_id"),
        *_books(),
    ]
    about = "Sweeps of all projects; those deleted upstream stay, with deleted_at."
    return _view("sweeps", about, columns, f"FROM _data.sweeps t {OF_PROJECT}")


def _of_project(plural: str, about: str) -> View:
    """Return the view of a kind that is published as it is."""
    kind = kind_named(plural)
    scope = [
        _text(name, f't."{name}"', SCOPES[name]) for name in kind.scope_columns if name in SCOPES
    ]
    books = _books(with_deleted=kind.when_gone == "deleted")
    columns = [ENTITY, PROJECT, *scope, *_fields(plural), *books]
    return _view(plural, about, columns, f'FROM _data."{plural}" t {OF_PROJECT}')


def _console_lines() -> View:
    columns = [
        ENTITY,
        PROJECT,
        _text("run_id", "t.run_id", "The run's id."),
        ViewColumn("line", "BIGINT", "TRY_CAST(t.line AS BIGINT)", "The line's number, from 0."),
        *_fields("console_lines", without=("line",)),
    ]
    about = "A row a line of the console; empty unless sync.console_lines asks for it."
    return _view("console_lines", about, columns, f"FROM _data.console_lines t {OF_PROJECT}")


COLLECTION = _text("collection", "t.collection", "The collection's name.")
VERSION = _text("version", "'v' || t.version_index", "The version in its collection, like v3.")
ARTIFACT_ID = _text("artifact_id", "t.artifact_id", "The version's id, the same everywhere.")


def _collections() -> View:
    columns = [
        ENTITY,
        PROJECT,
        *_fields("artifact_collections", without=("newest",)),
        ViewColumn(
            "is_sequence",
            "BOOLEAN",
            "t.form = 'ArtifactSequence'",
            "Whether runs log into it; otherwise it holds links.",
        ),
        *_books(),
    ]
    about = "Collections of artifacts; those deleted upstream stay, with deleted_at."
    return _view(
        "artifact_collections", about, columns, f"FROM _data.artifact_collections t {OF_PROJECT}"
    )


def _artifacts() -> View:
    is_link = (
        "t.source_collection <> t.collection OR t.source_project <> p.project "
        "OR t.source_entity <> p.entity"
    )
    columns = [
        ENTITY,
        PROJECT,
        COLLECTION,
        VERSION,
        *_fields("artifacts", without=("source_version_index",)),
        ViewColumn(
            "ttl_s",
            "DOUBLE",
            "CASE WHEN t.ttl_seconds >= 0 THEN t.ttl_seconds END",
            "Seconds it is kept; NULL for ever or as its collection says.",
        ),
        ViewColumn("is_link", "BOOLEAN", is_link, "Whether it is linked from elsewhere."),
        _text(
            "source_version",
            "'v' || t.source_version_index",
            "Its version in the sequence that it was logged into.",
        ),
        _text(
            "source_artifact_id",
            f"CASE WHEN {is_link} THEN t.artifact_id END",
            "The version it is a link to; NULL where it is no link.",
        ),
        *_books(),
    ]
    about = (
        "Versions of artifacts, a row a membership in a collection; those deleted upstream stay, "
        "with deleted_at."
    )
    return _view("artifacts", about, columns, f"FROM _data.artifacts t {OF_PROJECT}")


def _members(name: str, column: str, source: str, about: str) -> View:
    """Return a view with a row a member of a JSON list of artifacts."""
    listed = f"CASE WHEN json_valid(a.{source}) THEN json_extract_string(a.{source}, '$[*]') END"
    tail = (
        "FROM (SELECT a.project_no, a.collection, a.version_index, a.artifact_id, "
        f"unnest({listed}) AS member FROM _data.artifacts a WHERE a.deleted_at IS NULL) t "
        f"{OF_PROJECT}"
    )
    member = _text(column, "t.member", f"The {column}.")
    return _view(name, about, [ENTITY, PROJECT, COLLECTION, VERSION, ARTIFACT_ID, member], tail)


def _artifact_files() -> View:
    # a version in the collections of two projects is listed by both
    columns = [ARTIFACT_ID, *_fields("artifact_files")]
    about = "A row a file of an artifact version, as its manifest has it."
    return _view("artifact_files", about, columns, "FROM _data.artifact_files t GROUP BY ALL")


def _artifact_usage() -> View:
    names = "project_no, run_id, artifact_id, type, source_collection, source_project, "
    names += "source_entity, version_index"
    tail = (
        f"FROM (SELECT {names}, 'input' AS direction FROM _data.input_artifacts "
        f"UNION ALL SELECT {names}, 'output' AS direction FROM _data.output_artifacts) t "
        f"{OF_PROJECT}"
    )
    columns = [
        ENTITY,
        PROJECT,
        _text("run_id", "t.run_id", "The run's id."),
        ARTIFACT_ID,
        _text("direction", "t.direction", "input where the run used it, output where it made it."),
        _text("type", "t.type", "The artifact's type."),
        _text("source_entity", "t.source_entity", "The entity of the sequence it is of."),
        _text("source_project", "t.source_project", "The project of the sequence it is of."),
        _text("source_collection", "t.source_collection", "The sequence it is of."),
        _text("version", "'v' || t.version_index", "The version in that sequence."),
    ]
    about = "Which versions each run used and made: lineage."
    return _view("artifact_usage", about, columns, tail)


def _reports(url: str) -> View:
    slug = "regexp_replace(coalesce(t.title, ''), '[^A-Za-z0-9]+', '-', 'g')"
    columns = [
        ENTITY,
        PROJECT,
        *_fields("reports"),
        _link(url, f"'/reports/' || {slug} || '--' || rtrim(t.report_id, '=')"),
        *_books(),
    ]
    about = "Reports of all projects; those deleted upstream stay, with deleted_at."
    return _view("reports", about, columns, f"FROM _data.reports t {OF_PROJECT}")


def _automations() -> View:
    columns = [
        _text("id", "t.automation_id", "The automation's id."),
        _text("entity", "coalesce(t.entity, p.entity)", ENTITY.about),
        _text("project", "p.project", "The project; NULL where it watches a whole team."),
        *_fields("automations", without=("automation_id", "is_enabled")),
        ViewColumn("enabled", "BOOLEAN", "t.is_enabled", "Whether it is on."),
        *_books(),
    ]
    about = "What happens when something happens; those deleted upstream stay, with deleted_at."
    kind = kind_named("automations")
    names = ", ".join([*(field.column for field in kind.fields), "deleted_at", "synced_at"])
    # upstream lists those of projects with the team's too
    tail = (
        f"FROM (SELECT NULL AS entity, project_no, {names} FROM _data.automations UNION ALL "
        f"SELECT entity, NULL, {names} FROM _data.team_automations "
        "WHERE json_extract_string(scope, '$.__typename') = 'Entity') t "
        "LEFT JOIN _data.projects p ON p.project_no = t.project_no"
    )
    return _view("automations", about, columns, tail)
