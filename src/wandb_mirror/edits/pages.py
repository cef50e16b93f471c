"""How reports, sweeps and projects are edited: what people call them and say of them.

What a report holds (its spec), and what a sweep does (its config, its state) is not edited here: a
spec is replaced as a whole by every save on the web page, and a mirror controls no running thing.
"""

from __future__ import annotations

from dataclasses import replace

from wandb_mirror.edits.spec import Editable, EditField, Write
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.report import REPORT
from wandb_mirror.kinds.spec import At, Field, Kind, Type
from wandb_mirror.kinds.sweep import SWEEP

READ_ONLY = Field(
    "read_only", "project.readOnly", Type.BOOLEAN, "Whether upstream takes no edits of it."
)
DESCRIPTION = EditField("description", "description", "scalar", "description", cleared="")

VIEW: Kind = replace(REPORT, fields=(*REPORT.fields, READ_ONLY))
"""How a report is read by its id."""

REPORTS = Editable(
    kind="reports",
    word="report",
    noun="report",
    path="report:{entity}/{project}/{report_id}",
    read=VIEW,
    write=Write("upsertView", "UpsertViewInput!", "id"),
    id_column="report_id",
    reply="view",
    asked_by=("report_id", "title"),
    together=20,
    fields=(EditField("name", "title", "scalar", "displayName", cleared=""), DESCRIPTION),
)

SWEEP_ITSELF: Kind = replace(
    SWEEP,
    node_path=(*SWEEP.path[:-1], At("sweep", (("sweepName", "sweep_id"),))),
    fields=(*SWEEP.fields, READ_ONLY),
)
"""How a sweep is read by its id."""

SWEEPS = Editable(
    kind="sweeps",
    word="sweep",
    noun="sweep",
    path="sweep:{entity}/{project}/{sweep_id}",
    read=SWEEP_ITSELF,
    write=Write("upsertSweep", "UpsertSweepInput!", "id"),
    id_column="storage_id",
    reply="sweep",
    asked_by=("sweep_id",),
    fields=(EditField("name", "name", "scalar", "displayName", cleared=""), DESCRIPTION),
)

PROJECTS = Editable(
    kind="projects",
    word="project",
    noun="project",
    path="{entity}/{project}",
    read=PROJECT,
    write=Write("upsertModel", "UpsertModelInput!", "id"),
    id_column="storage_id",
    reply="project",
    asked_by=("project",),
    fields=(DESCRIPTION,),
)
