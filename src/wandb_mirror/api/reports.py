"""Reports (``wandb.apis.public.reports``)."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

from wandb_mirror.api.attrs import Attrs, frame
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.pages import Held
from wandb_mirror.api.runs import Runs
from wandb_mirror.api.saving import Saver
from wandb_mirror.errors import BadFilter
from wandb_mirror.jsontext import loads

SECTIONS = {
    "config": "config.",
    "summary": "summary_metrics.",
    "keys_info": "keys_info.keys.",
    "run": "",
    "tags": "tags.",
}
"""Section of a report's key to the beginning of a filter's path."""
OPERATORS = {
    "!=": "$ne",
    ">": "$gt",
    ">=": "$gte",
    "<": "$lt",
    "<=": "$lte",
    "IN": "$in",
    "NIN": "$nin",
    "REGEX": "$regex",
}
GROUPS = {"AND": "$and", "OR": "$or"}


class BetaReport(Attrs):
    """A report; its spec is what the web page stores."""

    def __init__(self, generations: Generations, generation: Generation, row: Row) -> None:
        spec = loads(row["spec"]) if row["spec"] else {}
        super().__init__(
            {
                "id": row["report_id"],
                "name": row["name"],
                "displayName": row["title"],
                "description": row["description"],
                "createdAt": row["created_at"],
                "updatedAt": row["updated_at"],
                "spec": spec,
            }
        )
        self._generations = generations
        self._generation = generation
        self._saver = Saver(
            generations,
            generation,
            "reports",
            "p.entity = ? AND p.project = ? AND t.report_id = ?",
            [row["entity"], row["project"], row["report_id"]],
        )
        self._saver.note(name=row["title"], description=row["description"])
        self.entity = row["entity"]
        self.project = row["project"]
        username = row["username"]
        emails = generation.user_emails
        self.user = (
            None
            if username is None
            else {"username": username, "photoUrl": None, "email": emails.get(username)}
        )

    @property
    def spec(self) -> dict[str, Any]:
        """What the web page stores."""
        spec: dict[str, Any] = self._attrs["spec"]
        return spec

    @property
    def sections(self) -> list[dict[str, Any]]:
        """Its groups of panels; a ``KeyError`` for a report in the newer form, as upstream."""
        sections: list[dict[str, Any]] = self.spec["panelGroups"]
        return sections

    def runs(self, section: dict[str, Any], per_page: int = 50, only_selected: bool = True) -> Runs:
        """Return the runs of a section's run set; raises ``BadFilter``."""
        run_set = section["runSets"][section.get("openRunSet", 0)]
        sign = "+" if run_set["sort"].get("ascending") else "-"
        order = sign + path_of(run_set["sort"]["key"])
        filters = filter_of(run_set["filters"]) or {}
        if only_selected:
            selected = {"name": {"$in": run_set["selections"]["tree"]}}
            filters = {"$and": [filters, selected]} if filters else selected
        place = (self.entity, self.project)
        return Runs(self._generations, place, filters, order, per_page, generation=self._generation)

    @property
    def url(self) -> str | None:
        """Where people look at it."""
        title = self._attrs["displayName"]
        if not title:
            return None
        slug = re.sub(r"-+", "-", re.sub(r"\W", "-", title)).strip("-")
        own = f"{urllib.parse.quote(slug)}--{self._attrs['id'].replace('=', '')}"
        return f"{self._generation.app_url}{self.entity}/{self.project}/reports/{own}"

    def save(self) -> None:
        """Queue a new ``display_name`` or ``description``; 'wandb-mirror push' sends it.

        What the report holds is edited on the web page alone. Raises ``BadEdit``.
        """
        self._saver.save({"name": self.display_name, "description": self.description})

    def to_html(self, height: int = 1024, hidden: bool = False) -> str:
        """Return an iframe of the report."""
        if self.url is None:
            return "<div>Report URL not available</div>"
        return frame(self.url, height, hidden=hidden, name="report")

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        """Return its project and title."""
        return f"<BetaReport {self.entity}/{self.project}: {self._attrs['displayName']}>"


class Reports(Held[BetaReport]):
    """The reports of a project, or those of one name."""

    def __init__(
        self,
        generations: Generations,
        path: tuple[str, str],
        name: str | None = None,
        per_page: int = 50,
    ) -> None:
        self.entity, self.project = path
        generation = generations.current()
        rows = generation.live(
            "reports", "entity = ? AND project = ? ORDER BY created_at, report_id", path
        )
        found = [row for row in rows if name is None or row["name"] == name]
        super().__init__([BetaReport(generations, generation, row) for row in found], per_page)

    def __repr__(self) -> str:
        """Return whose reports they are."""
        return f"<Reports {self.entity}/{self.project}>"


def path_of(key: dict[str, Any]) -> str:
    """Return the path of a report's key as filters write it; raises ``BadFilter``."""
    prefix = SECTIONS.get(key.get("section", ""))
    if prefix is None:
        raise BadFilter(f"report: no section {key.get('section')!r} of keys is known")
    return f"{prefix}{key['name']}"


def filter_of(tree: dict[str, Any]) -> dict[str, Any] | None:
    """Return a report's filter as W&B's filters are written; None where it is switched off."""
    if tree.get("filters") is not None:
        parts = [part for each in tree["filters"] if (part := filter_of(each))]
        return {GROUPS[tree["op"]]: parts} if parts else None
    operator, value = tree["op"], tree.get("value")
    is_empty = value is None and operator not in ("=", "!=")
    if not tree["key"]["name"] or tree.get("disabled") or is_empty:
        return None
    if tree["key"]["section"] == "tags":
        if operator == "IN":
            return {"tags": {"$in": value}}
        has = {"tags": tree["key"]["name"]}
        return {"$nor": [has]} if value is False else has
    path = path_of(tree["key"])
    if operator == "=":
        return {path: value}
    if operator not in OPERATORS:
        raise BadFilter(f"report: no operator {operator!r} is known at {path}")
    return {path: {OPERATORS[operator]: value}}
