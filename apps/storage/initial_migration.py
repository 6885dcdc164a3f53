"""The first migration of a room, quickly: Django renders the models once instead of after each operation."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.special import RunPython, RunSQL
from django.db.migrations.state import ProjectState


class InitialMigration(migrations.Migration):
    """Makes every table of a room in its final form, then runs the room's own SQL and functions.

    Django renders each model again, with all that are related to it, whenever one is added: nine rooms cost
    some 8,500 renderings, which is most of the time that an empty database takes to migrate. Until the first
    release a room has this one migration; ``makemigrations`` writes it and only its base class is exchanged.
    """

    initial = True

    def apply(
        self, project_state: ProjectState, schema_editor: BaseDatabaseSchemaEditor, collect_sql: bool = False
    ) -> ProjectState:
        if collect_sql:
            return super().apply(project_state, schema_editor, collect_sql)
        before = project_state.clone()
        # A state without rendered models takes operations without rendering any.
        project_state.__dict__.pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(self.app_label, project_state)
        for operation in self.operations:
            self._carry_out(operation, schema_editor, before, project_state)
        return project_state

    def _carry_out(
        self,
        operation: Any,
        schema_editor: BaseDatabaseSchemaEditor,
        before: ProjectState,
        after: ProjectState,
    ) -> None:
        if isinstance(operation, migrations.CreateModel | RunPython | RunSQL):
            operation.database_forwards(self.app_label, schema_editor, before, after)
        elif not isinstance(operation, migrations.AddField | migrations.AddConstraint | migrations.AddIndex):
            # The models that CreateModel finds are the final ones: their fields, constraints and indexes are made.
            raise TypeError(f"{type(operation).__name__} has no place in a first migration: {self}")
