"""the first tables

Revision: 0001, after None
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_runs",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("sweep_id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint(
            "project_id", "sweep_id", "agent", "run_id", name=op.f("pk_agent_runs")
        ),
    )
    with op.batch_alter_table("agent_runs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_agent_runs_changed_seq"),
            ["changed_seq", "project_id", "sweep_id", "agent", "run_id"],
            unique=False,
        )

    op.create_table(
        "artifact_collections",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("form", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("aliases", sa.Text(), nullable=True),
        sa.Column("newest", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "collection", name=op.f("pk_artifact_collections")),
    )
    with op.batch_alter_table("artifact_collections", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_artifact_collections_changed_seq"),
            ["changed_seq", "project_id", "collection"],
            unique=False,
        )

    op.create_table(
        "artifact_files",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("artifact_id", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("digest_algorithm", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint(
            "project_id", "artifact_id", "path", name=op.f("pk_artifact_files")
        ),
    )
    with op.batch_alter_table("artifact_files", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_artifact_files_changed_seq"),
            ["changed_seq", "project_id", "artifact_id", "path"],
            unique=False,
        )

    op.create_table(
        "artifact_types",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "type", name=op.f("pk_artifact_types")),
    )
    with op.batch_alter_table("artifact_types", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_artifact_types_changed_seq"),
            ["changed_seq", "project_id", "type"],
            unique=False,
        )

    op.create_table(
        "artifacts",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("artifact_id", sa.Text(), nullable=False),
        sa.Column("membership_id", sa.Text(), nullable=True),
        sa.Column("version_index", sa.BigInteger(), nullable=True),
        sa.Column("joined_at", sa.DateTime(), nullable=True),
        sa.Column("aliases", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("digest_algorithm", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("file_count", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("ttl_seconds", sa.BigInteger(), nullable=True),
        sa.Column("commit_hash", sa.Text(), nullable=True),
        sa.Column("history_step", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("source_version_index", sa.BigInteger(), nullable=True),
        sa.Column("source_collection", sa.Text(), nullable=True),
        sa.Column("source_project", sa.Text(), nullable=True),
        sa.Column("source_entity", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint(
            "project_id", "collection", "artifact_id", name=op.f("pk_artifacts")
        ),
    )
    with op.batch_alter_table("artifacts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_artifacts_changed_seq"),
            ["changed_seq", "project_id", "collection", "artifact_id"],
            unique=False,
        )

    op.create_table(
        "automations",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("automation_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "automation_id", name=op.f("pk_automations")),
    )
    with op.batch_alter_table("automations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_automations_changed_seq"),
            ["changed_seq", "project_id", "automation_id"],
            unique=False,
        )

    op.create_table(
        "checkpoints",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("watermark", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "scope", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "console_lines",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.DateTime(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "run_id", "line", name=op.f("pk_console_lines")),
    )
    with op.batch_alter_table("console_lines", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_console_lines_changed_seq"),
            ["changed_seq", "project_id", "run_id", "line"],
            unique=False,
        )

    op.create_table(
        "edits",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("own_key", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("local", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reply_seq", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "kind", "project_id", "own_key", "field", "key", name=op.f("pk_edits")
        ),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.create_table(
        "input_artifacts",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("artifact_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("source_collection", sa.Text(), nullable=True),
        sa.Column("source_project", sa.Text(), nullable=True),
        sa.Column("source_entity", sa.Text(), nullable=True),
        sa.Column("version_index", sa.BigInteger(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint(
            "project_id", "run_id", "artifact_id", name=op.f("pk_input_artifacts")
        ),
    )
    with op.batch_alter_table("input_artifacts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_input_artifacts_changed_seq"),
            ["changed_seq", "project_id", "run_id", "artifact_id"],
            unique=False,
        )

    op.create_table(
        "integrations",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=True),
        sa.Column("webhook_name", sa.Text(), nullable=True),
        sa.Column("webhook_address", sa.Text(), nullable=True),
        sa.Column("slack_team", sa.Text(), nullable=True),
        sa.Column("slack_channel", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("entity", "integration_id", name=op.f("pk_integrations")),
    )
    with op.batch_alter_table("integrations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_integrations_changed_seq"),
            ["changed_seq", "entity", "integration_id"],
            unique=False,
        )

    op.create_table(
        "output_artifacts",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("artifact_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("source_collection", sa.Text(), nullable=True),
        sa.Column("source_project", sa.Text(), nullable=True),
        sa.Column("source_entity", sa.Text(), nullable=True),
        sa.Column("version_index", sa.BigInteger(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint(
            "project_id", "run_id", "artifact_id", name=op.f("pk_output_artifacts")
        ),
    )
    with op.batch_alter_table("output_artifacts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_output_artifacts_changed_seq"),
            ["changed_seq", "project_id", "run_id", "artifact_id"],
            unique=False,
        )

    op.create_table(
        "past_values",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("own_key", sa.Text(), nullable=False),
        sa.Column("within", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(), nullable=False),
        sa.Column("valid_to", sa.DateTime(), nullable=True),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "kind",
            "project_id",
            "own_key",
            "within",
            "field",
            "valid_from",
            name=op.f("pk_past_values"),
        ),
    )
    with op.batch_alter_table("past_values", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_past_values_changed_seq"), ["changed_seq"], unique=False
        )

    op.create_table(
        "projects",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("entity", sa.Text(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("access", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("read_only", sa.Boolean(), nullable=True),
        sa.Column("is_benchmark", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("run_count", sa.BigInteger(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_projects")),
    )
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_projects_changed_seq"), ["changed_seq", "project_id"], unique=False
        )

    op.create_table(
        "pushed",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("local", sa.Text(), nullable=True),
        sa.Column("upstream", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pushed")),
    )
    op.create_table(
        "registries",
        sa.Column("org_entity", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=False),
        sa.Column("registry_id", sa.Text(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("visibility", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("allow_all_artifact_types", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("org_entity", "storage_id", name=op.f("pk_registries")),
    )
    with op.batch_alter_table("registries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_registries_changed_seq"),
            ["changed_seq", "org_entity", "storage_id"],
            unique=False,
        )

    op.create_table(
        "registry_members",
        sa.Column("org_entity", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint(
            "org_entity", "project", "member_id", name=op.f("pk_registry_members")
        ),
    )
    with op.batch_alter_table("registry_members", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_registry_members_changed_seq"),
            ["changed_seq", "org_entity", "project", "member_id"],
            unique=False,
        )

    op.create_table(
        "registry_teams",
        sa.Column("org_entity", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("org_entity", "project", "team", name=op.f("pk_registry_teams")),
    )
    with op.batch_alter_table("registry_teams", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_registry_teams_changed_seq"),
            ["changed_seq", "org_entity", "project", "team"],
            unique=False,
        )

    op.create_table(
        "removals",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_removals")),
    )
    with op.batch_alter_table("removals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_removals_changed_seq"), ["changed_seq"], unique=False)

    op.create_table(
        "reports",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.Column("spec", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "report_id", name=op.f("pk_reports")),
    )
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_reports_changed_seq"),
            ["changed_seq", "project_id", "report_id"],
            unique=False,
        )

    op.create_table(
        "run_files",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("mimetype", sa.Text(), nullable=True),
        sa.Column("md5", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "run_id", "name", name=op.f("pk_run_files")),
    )
    with op.batch_alter_table("run_files", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_run_files_changed_seq"),
            ["changed_seq", "project_id", "run_id", "name"],
            unique=False,
        )

    op.create_table(
        "runs",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("run_group", sa.Text(), nullable=True),
        sa.Column("job_type", sa.Text(), nullable=True),
        sa.Column("sweep_id", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("git_commit", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("read_only", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("compute_seconds", sa.Float(), nullable=True),
        sa.Column("history_line_count", sa.BigInteger(), nullable=True),
        sa.Column("event_line_count", sa.BigInteger(), nullable=True),
        sa.Column("log_line_count", sa.BigInteger(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.Column("config", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("system_metrics", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "run_id", name=op.f("pk_runs")),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_runs_changed_seq"), ["changed_seq", "project_id", "run_id"], unique=False
        )

    op.create_table(
        "scopes",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_scopes")),
    )
    op.create_table(
        "sweep_agents",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("sweep_id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("total_runs", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "sweep_id", "agent", name=op.f("pk_sweep_agents")),
    )
    with op.batch_alter_table("sweep_agents", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sweep_agents_changed_seq"),
            ["changed_seq", "project_id", "sweep_id", "agent"],
            unique=False,
        )

    op.create_table(
        "sweeps",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("sweep_id", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("best_loss", sa.Float(), nullable=True),
        sa.Column("run_count", sa.BigInteger(), nullable=True),
        sa.Column("expected_runs", sa.BigInteger(), nullable=True),
        sa.Column("agents", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("config", sa.Text(), nullable=True),
        sa.Column("config_yaml", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "sweep_id", name=op.f("pk_sweeps")),
    )
    with op.batch_alter_table("sweeps", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sweeps_changed_seq"),
            ["changed_seq", "project_id", "sweep_id"],
            unique=False,
        )

    op.create_table(
        "sync_errors",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(), nullable=False),
        sa.Column("last_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_sync_errors")),
    )
    op.create_table(
        "sync_log",
        sa.Column("sync_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=True),
        sa.Column("retries", sa.BigInteger(), nullable=True),
        sa.Column("throttled", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sync_id", name=op.f("pk_sync_log")),
    )
    op.create_table(
        "team_automations",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("automation_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("entity", "automation_id", name=op.f("pk_team_automations")),
    )
    with op.batch_alter_table("team_automations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_team_automations_changed_seq"),
            ["changed_seq", "entity", "automation_id"],
            unique=False,
        )

    op.create_table(
        "team_members",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("is_admin", sa.Boolean(), nullable=True),
        sa.Column("is_pending", sa.Boolean(), nullable=True),
        sa.Column("photo_url", sa.Text(), nullable=True),
        sa.Column("account_type", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("entity", "member_id", name=op.f("pk_team_members")),
    )
    with op.batch_alter_table("team_members", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_team_members_changed_seq"),
            ["changed_seq", "entity", "member_id"],
            unique=False,
        )

    op.create_table(
        "teams",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("is_team", sa.Boolean(), nullable=True),
        sa.Column("entity_type", sa.Text(), nullable=True),
        sa.Column("available", sa.Boolean(), nullable=True),
        sa.Column("photo_url", sa.Text(), nullable=True),
        sa.Column("read_only", sa.Boolean(), nullable=True),
        sa.Column("read_only_admin", sa.Boolean(), nullable=True),
        sa.Column("private_only", sa.Boolean(), nullable=True),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=True),
        sa.Column("code_saving_enabled", sa.Boolean(), nullable=True),
        sa.Column("default_access", sa.Text(), nullable=True),
        sa.Column("is_paid", sa.Boolean(), nullable=True),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("organization", sa.Text(), nullable=True),
        sa.Column("org_entity_id", sa.Text(), nullable=True),
        sa.Column("org_entity", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("entity", "team", name=op.f("pk_teams")),
    )
    with op.batch_alter_table("teams", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_teams_changed_seq"), ["changed_seq", "entity", "team"], unique=False
        )

    op.create_table(
        "viewers",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("is_admin", sa.Boolean(), nullable=True),
        sa.Column("default_entity", sa.Text(), nullable=True),
        sa.Column("user_deleted_at", sa.DateTime(), nullable=True),
        sa.Column("flags", sa.Text(), nullable=True),
        sa.Column("teams", sa.Text(), nullable=True),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("inaccessible_since", sa.DateTime(), nullable=True),
        sa.Column("light_digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_viewers")),
    )
    with op.batch_alter_table("viewers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_viewers_changed_seq"), ["changed_seq", "user_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("viewers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_viewers_changed_seq"))

    op.drop_table("viewers")
    with op.batch_alter_table("teams", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_teams_changed_seq"))

    op.drop_table("teams")
    with op.batch_alter_table("team_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_team_members_changed_seq"))

    op.drop_table("team_members")
    with op.batch_alter_table("team_automations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_team_automations_changed_seq"))

    op.drop_table("team_automations")
    op.drop_table("sync_log")
    op.drop_table("sync_errors")
    with op.batch_alter_table("sweeps", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sweeps_changed_seq"))

    op.drop_table("sweeps")
    with op.batch_alter_table("sweep_agents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sweep_agents_changed_seq"))

    op.drop_table("sweep_agents")
    op.drop_table("scopes")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_runs_changed_seq"))

    op.drop_table("runs")
    with op.batch_alter_table("run_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_files_changed_seq"))

    op.drop_table("run_files")
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reports_changed_seq"))

    op.drop_table("reports")
    with op.batch_alter_table("removals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_removals_changed_seq"))

    op.drop_table("removals")
    with op.batch_alter_table("registry_teams", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_registry_teams_changed_seq"))

    op.drop_table("registry_teams")
    with op.batch_alter_table("registry_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_registry_members_changed_seq"))

    op.drop_table("registry_members")
    with op.batch_alter_table("registries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_registries_changed_seq"))

    op.drop_table("registries")
    op.drop_table("pushed")
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_projects_changed_seq"))

    op.drop_table("projects")
    with op.batch_alter_table("past_values", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_past_values_changed_seq"))

    op.drop_table("past_values")
    with op.batch_alter_table("output_artifacts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_output_artifacts_changed_seq"))

    op.drop_table("output_artifacts")
    with op.batch_alter_table("integrations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_integrations_changed_seq"))

    op.drop_table("integrations")
    with op.batch_alter_table("input_artifacts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_input_artifacts_changed_seq"))

    op.drop_table("input_artifacts")
    op.drop_table("facts")
    op.drop_table("edits")
    with op.batch_alter_table("console_lines", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_console_lines_changed_seq"))

    op.drop_table("console_lines")
    op.drop_table("checkpoints")
    with op.batch_alter_table("automations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_automations_changed_seq"))

    op.drop_table("automations")
    with op.batch_alter_table("artifacts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_artifacts_changed_seq"))

    op.drop_table("artifacts")
    with op.batch_alter_table("artifact_types", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_artifact_types_changed_seq"))

    op.drop_table("artifact_types")
    with op.batch_alter_table("artifact_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_artifact_files_changed_seq"))

    op.drop_table("artifact_files")
    with op.batch_alter_table("artifact_collections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_artifact_collections_changed_seq"))

    op.drop_table("artifact_collections")
    with op.batch_alter_table("agent_runs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agent_runs_changed_seq"))

    op.drop_table("agent_runs")
