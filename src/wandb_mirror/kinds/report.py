"""A report: a page that people wrote about runs.

Order: upstream's own.   Resumable: the listing is walked anew, the specs are not.
Cost: one request for 20 lists, four projects with all that they list; one for
the specs of 20 reports that changed.
Names: upstream calls it a view of the type ``runs``; drafts and workspaces are other types.
Gone: a report that a complete listing does not show is marked deleted.
Older servers: without ``views(ids)`` the listing brings the specs along.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type

REPORT = Kind(
    name="report",
    plural="reports",
    about="Reports: pages that people wrote about runs.",
    upstream_type="View",
    shape="connection",
    scope="project",
    path=(IN_PROJECT, At("allViews", constants=(("viewType", '"runs"'),))),
    detail_path=(At("views", (("ids", "own_keys"),)),),
    key=("project_id", "report_id"),
    page_size=100,
    detail_size=20,
    when_gone="deleted",
    remembered=("title", "description"),
    fields=(
        Field("report_id", "id", about="The report's id."),
        Field("name", "name", about="The name that upstream gave it."),
        Field("title", "displayName", about="The title people see."),
        Field("description", "description", about="What it says of itself."),
        Field("username", "user.username", about="Who wrote it."),
        Field("created_at", "createdAt", Type.TIME, about="When it was made."),
        Field("updated_at", "updatedAt", Type.TIME, about="When upstream last changed it."),
        Field("spec", "spec", Type.JSON_TEXT, about="Its content, as JSON.", is_heavy=True),
    ),
)
