"""GraphQL documents: parsed and validated once, then kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from graphql import (
    ExecutableDefinitionNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import ASTValidationRule, NoSchemaIntrospectionCustomRule

MAX_KEPT = 500


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document, or the errors that tell why it is none."""

    operations: dict[str, OperationDefinitionNode]
    fragments: dict[str, FragmentDefinitionNode]
    errors: tuple[dict[str, Any], ...] = ()

    def choose(self, name: str | None) -> OperationDefinitionNode | str:
        """Return the operation to run, or why there is none; the name ``""`` means absent."""
        if not name:
            if len(self.operations) == 1:
                return next(iter(self.operations.values()))
            return "Must provide operation name if query contains multiple operations."
        return self.operations.get(name) or f"Unknown operation named {name!r}."


class Documents:
    """The documents seen last."""

    def __init__(self, schema: GraphQLSchema, *, allows_introspection: bool) -> None:
        self._schema = schema
        self._rules: list[type[ASTValidationRule]] = list(specified_rules)
        if not allows_introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)
        self._kept: OrderedDict[str, Document] = OrderedDict()

    def read(self, text: str) -> Document:
        """Return a document, from memory where it was seen before."""
        found = self._kept.get(text)
        if found is None:
            found = self._kept[text] = self._parse(text)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(text)
        return found

    def _parse(self, text: str) -> Document:
        try:
            tree = parse(text)
        except GraphQLError as error:
            return Document({}, {}, (dict(error.formatted),))
        errors = validate(self._schema, tree, self._rules)
        if errors:
            return Document({}, {}, tuple(dict(error.formatted) for error in errors))
        executable = [
            each for each in tree.definitions if isinstance(each, ExecutableDefinitionNode)
        ]
        return Document(
            {
                each.name.value if each.name else "": each
                for each in executable
                if isinstance(each, OperationDefinitionNode)
            },
            {
                each.name.value: each
                for each in executable
                if isinstance(each, FragmentDefinitionNode)
            },
        )
