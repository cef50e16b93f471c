from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wandb_mirror.errors import BadFilter
from wandb_mirror.history.flatten import flatten
from wandb_mirror.query.fields import LINEAGE, OWN
from wandb_mirror.query.filters import COMPARISONS, parse_filter
from wandb_mirror.query.meaning import Document, passes

NOW = datetime(2024, 1, 1)  # noqa: DTZ001  (naive UTC, as the mirror keeps times)
PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `(\{.*\})` \| `(\{.*\})` \| (yes|no) \|$", PAGE, re.MULTILINE)


def document(config, **columns):
    leaves = {
        ".".join(path): float("nan") if leaf == "NaN" else leaf for path, leaf in flatten(config)
    }
    return Document(columns, None, leaves, {})


@pytest.mark.parametrize(("wanted", "config", "answer"), EXAMPLES)
def test_the_examples_of_the_page_hold(wanted, config, answer):
    assert passes(parse_filter(json.loads(wanted)), document(json.loads(config))) is (
        answer == "yes"
    )


def test_every_operator_has_its_row_on_the_page():
    rows = dict(re.findall(r"^\| `(\$\w+)` \| (.*) \|$", PAGE, re.MULTILINE))
    assert rows == COMPARISONS
    assert len(EXAMPLES) > 20


def test_every_field_of_the_page_is_known():
    [table] = re.findall(r"## Fields.*?## Operators", PAGE, re.DOTALL)
    names = [
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert [name for name in names if name not in OWN | LINEAGE] == []


@pytest.mark.parametrize(
    "spelling",
    [
        "2024-05-01T02:00:00Z",
        "2024-05-01T02:00:00",
        "2024-05-01T04:00:00+02:00",
        datetime(2024, 5, 1, 2, tzinfo=UTC),
    ],
)
def test_a_time_is_the_same_in_every_spelling(spelling):
    run = document({}, created_at=datetime(2024, 5, 1, 2))  # noqa: DTZ001
    assert passes(parse_filter({"createdAt": spelling}), run)
    assert passes(parse_filter({"created_at": {"$gte": spelling}}), run)
    assert not passes(parse_filter({"created_at": {"$gt": spelling}}), run)


def nested(depth):
    found = {"state": "finished"}
    for _ in range(depth):
        found = {"$and": [found]}
    return found


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"config.lr": {"$gtt": 1}},
            r"filter.config.lr.\$gtt: no operator \$gtt; did you mean \$gt\?",
        ),
        ({"$xor": []}, r"filter.\$xor: no operator"),
        ({"$and": {}}, r"filter.\$and: \$and takes a list"),
        ({"$and": [{"a": {"$in": 3}}]}, r"filter.\$and\[0\].a.\$in: \$in takes a list"),
        ({"config.x": {"$regex": "("}}, r"no regular expression"),
        ({"config.x": {"$regex": "(?=a)"}}, r"look-around"),
        ({"config.x": {"$regex": 3}}, r"takes text"),
        ({"config.x": float("nan")}, r"nothing compares with NaN"),
        ({"config.x": {"a": 1}}, r"compare the parts"),
        ({"config.x": {"$exists": "yes"}}, r"true or false"),
        ({"config.x": {"$gt": None}}, r"compares with a number"),
        ({"config.x": {"$gt": 1, "b": 2}}, r"no operator b"),
        ({"config.x": {"gt": 1}}, r"did you mean \$gt\?"),
        ({"config.x": {"$regex": r"\Z"}}, r"filter.config.x.\$regex: .* invalid escape sequence"),
        ({"config.x": {"$regex": "a", "$options": "x"}}, r"letters out of i, m and s"),
        ({"config.x": {"$options": "i"}}, r"it goes with \$regex"),
        ({"config.x": {"$size": -1}}, r"filter.config.x.\$size: \$size takes a whole number"),
        ({"config.x": {"$contains": 1}}, r"takes text"),
        ({"config.x": {"$all": "a"}}, r"takes a list"),
        ({"config.x": 10**400}, r"no number is as large"),
        ({"config.x": "\ud800"}, r"is no text"),
        ({"config.x": {"$in": [1, {"a": 2}]}}, r"filter.config.x.\$in\[1\]: nothing compares"),
        (nested(200), r"nested more than 100 deep"),
        ([], r"write an object"),
        ("state", r"write an object"),
        ({"": 1}, r"a field's name is text"),
    ],
)
def test_a_filter_that_cannot_be_read_is_named_with_its_place(wanted, message):
    with pytest.raises(BadFilter, match=message):
        parse_filter(wanted)


@pytest.mark.parametrize(
    "wanted", [{"createdAt": 3}, {"createdAt": "soon"}, {"heartbeatAt": {"$gt": True}}]
)
def test_a_time_compared_with_something_else_is_an_error_and_no_empty_answer(wanted):
    with pytest.raises(BadFilter, match="ISO 8601"):
        passes(
            parse_filter(wanted),
            document({}, created_at=NOW, heartbeat_at=NOW),
        )


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"stat": 1}, "no field stat; did you mean state"),
        ({"loss": 1}, "no field loss; keys are written config.loss or summary_metrics.loss"),
        ({"summary_metric.loss": 1}, r"did you mean summary_metrics\.loss\?"),
        ({"config": 1}, r"did you mean config\.KEY\?"),
        ({"created_at": {"$regex": "2024"}}, "created_at is a time"),
        ({"tags.x": 3}, "is there or not"),
        ({"keys_info.keys.loss": {"$gt": 1}}, "is there or not"),
        ({"inputArtifacts": ["data:v1"]}, "compare with an artifact's name"),
    ],
)
def test_a_field_that_is_unknown_or_asked_wrongly_is_named(wanted, message):
    with pytest.raises(BadFilter, match=message):
        passes(parse_filter(wanted), document({}, created_at=NOW))


def test_expressions_are_those_of_re2_and_not_pythons():
    """Each of these says otherwise, or fails, in Python's ``re``."""
    for pattern, text, answer in [
        ("a$", "a\n", False), (r"^\d$", "\u0663", False), (r"^\pL$", "ä", True),
        ("x(?i)|A", "a", True), ("^[[:alpha:]]$", "a", True), ("^a{,2}$", "aa", False),
    ]:  # fmt: skip
        tree = parse_filter({"config.x": {"$regex": pattern}})
        assert passes(tree, document({"x": text})) is answer, pattern
