"""How reports, automations and integrations of a world change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from wandb_mirror.sandbox.artifacts import Collection
from wandb_mirror.sandbox.objects import Entity, Project
from wandb_mirror.sandbox.people import Action, Automation, Event, Integration, Report


class Arrangements:
    """What people write and arrange around their runs."""

    def __init__(self, change: Callable[[], AbstractContextManager[datetime]]) -> None:
        self._change = change
        self.reports: dict[int, Report] = {}
        self.integrations: dict[int, Integration] = {}
        self.automations: dict[int, Automation] = {}
        self._made = 0

    def _number(self) -> int:
        self._made += 1
        return self._made

    def create_report(self, project: Project, title: str, spec: str, **values: Any) -> Report:
        """Add a report; ``spec`` is JSON text."""
        with self._change() as now:
            created_at = values.pop("created_at", now)
            user = values.pop("user", project.owner)
            made = Report(
                self._number(), project, title, spec, user, created_at, created_at, **values
            )
            self.reports[made.number] = made
        return made

    def edit_report(self, report: Report, **values: Any) -> None:
        """Change title, description or spec of a report."""
        with self._change() as now:
            for name, value in values.items():
                setattr(report, name, value)
            report.updated_at = now

    def delete_report(self, report: Report) -> None:
        """Delete a report."""
        with self._change():
            del self.reports[report.number]

    def restore_report(self, report: Report) -> None:
        """Undelete a report."""
        with self._change():
            self.reports[report.number] = report

    def create_integration(
        self, entity: Entity, typename: str, name: str, target: str, **values: Any
    ) -> Integration:
        """Add a place where automations send messages."""
        with self._change():
            made = Integration(self._number(), entity, typename, name, target, **values)
            self.integrations[made.number] = made
        return made

    def create_automation(
        self, name: str, scope: Any, event: Event, action: Action, **values: Any
    ) -> Automation:
        """Add an automation; ``scope`` is what it watches."""
        with self._change() as now:
            made = Automation(self._number(), name, scope, event, action, now, now, **values)
            self.automations[made.number] = made
        return made

    def edit_automation(self, automation: Automation, **values: Any) -> None:
        """Change fields of an automation."""
        with self._change() as now:
            for name, value in values.items():
                setattr(automation, name, value)
            automation.updated_at = now

    def delete_automation(self, automation: Automation) -> None:
        """Delete an automation."""
        with self._change():
            del self.automations[automation.number]

    def automations_of(self, project: Project) -> list[Automation]:
        """Return the automations that a project lists: its own and those of its collections."""
        return [
            each
            for each in self.automations.values()
            if each.scope is project
            or (isinstance(each.scope, Collection) and each.scope.project is project)
        ]
