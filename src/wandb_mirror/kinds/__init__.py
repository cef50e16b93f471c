"""The kinds there are, parents before children."""

from __future__ import annotations

from wandb_mirror.kinds.agent_run import AGENT_RUN
from wandb_mirror.kinds.artifact import ARTIFACT
from wandb_mirror.kinds.artifact_collection import ARTIFACT_COLLECTION
from wandb_mirror.kinds.artifact_file import ARTIFACT_FILE
from wandb_mirror.kinds.artifact_type import ARTIFACT_TYPE
from wandb_mirror.kinds.automation import AUTOMATION
from wandb_mirror.kinds.console_line import CONSOLE_LINE
from wandb_mirror.kinds.history import HISTORY
from wandb_mirror.kinds.input_artifact import INPUT_ARTIFACT
from wandb_mirror.kinds.integration import INTEGRATION
from wandb_mirror.kinds.output_artifact import OUTPUT_ARTIFACT
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.registry import REGISTRY
from wandb_mirror.kinds.registry_member import REGISTRY_MEMBER
from wandb_mirror.kinds.registry_team import REGISTRY_TEAM
from wandb_mirror.kinds.report import REPORT
from wandb_mirror.kinds.run import RUN
from wandb_mirror.kinds.run_file import RUN_FILE
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.kinds.sweep import SWEEP
from wandb_mirror.kinds.sweep_agent import SWEEP_AGENT
from wandb_mirror.kinds.system_metric import SYSTEM_METRIC
from wandb_mirror.kinds.team import TEAM
from wandb_mirror.kinds.team_automation import TEAM_AUTOMATION
from wandb_mirror.kinds.team_member import TEAM_MEMBER
from wandb_mirror.kinds.viewer import VIEWER

KINDS: tuple[Kind, ...] = (
    VIEWER,
    TEAM,
    TEAM_MEMBER,
    INTEGRATION,
    TEAM_AUTOMATION,
    REGISTRY,
    REGISTRY_MEMBER,
    REGISTRY_TEAM,
    PROJECT,
    RUN,
    HISTORY,
    SYSTEM_METRIC,
    SWEEP,
    SWEEP_AGENT,
    AGENT_RUN,
    ARTIFACT_TYPE,
    ARTIFACT_COLLECTION,
    ARTIFACT,
    ARTIFACT_FILE,
    INPUT_ARTIFACT,
    OUTPUT_ARTIFACT,
    RUN_FILE,
    CONSOLE_LINE,
    REPORT,
    AUTOMATION,
)
"""Every kind, in the order in which a sync takes them."""

STORED: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind.is_stored)
"""The kinds whose rows live in the store; the others live in the warehouse alone."""


WORDS: dict[str, tuple[str, ...]] = {
    "files": ("run_files",),
    "agents": ("sweep_agents", "agent_runs"),
    "artifacts": (
        "artifact_types",
        "artifact_collections",
        "artifacts",
        "artifact_files",
        "input_artifacts",
        "output_artifacts",
    ),
    "users": ("viewers", "team_members"),
    "automations": ("automations", "team_automations"),
    "registries": ("registries", "registry_members", "registry_teams"),
}
"""Words for several kinds at once, or for one that people call otherwise."""


def kind_named(plural: str) -> Kind:
    """Return the kind that ``sync --only`` calls ``plural``; ``KeyError`` where there is none."""
    for kind in KINDS:
        if kind.plural == plural:
            return kind
    raise KeyError(plural)
