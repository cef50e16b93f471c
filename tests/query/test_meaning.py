from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wandb_mirror.errors import BadFilter
from wandb_mirror.history.flatten import flatten
from wandb_mirror.query.fields import OWN
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
    assert [name for name in names if name not in OWN] == []


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
        ([], r"write an object"),
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


def test_an_unknown_field_is_named_with_the_nearest():
    with pytest.raises(BadFilter, match="no field stat; did you mean state"):
        passes(parse_filter({"stat": 1}), document({}))
