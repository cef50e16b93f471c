"""The best values over histories, parameter importance, export, and what the shell offers."""

from __future__ import annotations

import json
import math

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from mirror.making import TEAM
from wandb_mirror.cli.main import cli, main
from wandb_mirror.errors import BadFilter, NotMirrored
from wandb_mirror.query.importance import correlate, encode
from wandb_mirror.query.published import Published

USUAL = f"{TEAM}/mnist-baselines"
ODD = f"{TEAM}/oddities"


def test_the_best_value_is_looked_for_in_the_whole_history(api):
    runs = api.runs(USUAL)
    for goal, choose in (("minimize", min), ("maximize", max)):
        best = runs.best("loss", goal)
        values = {
            run.id: [
                row["loss"] for row in run.scan_history(keys=["loss"]) if math.isfinite(row["loss"])
            ]
            for run in runs
        }
        assert best.value == choose(value for each in values.values() for value in each)
        assert best.value in values[best.run.id]
        assert {row["_step"]: row["loss"] for row in best.run.scan_history(keys=["loss"])}[
            best.step
        ] == best.value
    assert runs.best("nope") is None
    with pytest.raises(BadFilter, match="minimize, maximize"):
        runs.best("loss", "lowest")


def test_values_are_encoded_as_the_docs_say():
    import pyarrow as pa

    def columns(values):
        return [(each.value, each.numbers) for each in encode("p", pa.chunked_array([values]))]

    assert columns([1, 2, 3]) == [(None, [1.0, 2.0, 3.0])]
    assert columns([True, False, True]) == [(None, [1.0, 0.0, 1.0])]
    assert columns(["a", "b", None]) == [("a", [1.0, 0.0, 0.0]), ("b", [0.0, 1.0, 0.0])]
    assert columns([1, 1, 1]) == columns(["a", "a"]) == columns([str(n) for n in range(30)]) == []
    assert repr(columns([1.0, None, math.inf, 2.0])) == repr(
        [(None, [1.0, math.nan, math.nan, 2.0])]
    )


def test_correlation_is_pearsons_over_what_both_have():
    assert correlate([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert correlate([1, math.nan, 3], [6, 100, 2]) == pytest.approx(-1)
    assert correlate([1, 1], [1, 2]) is None
    assert correlate([math.nan], [1]) is None


def test_the_parameter_that_a_metric_depends_on_matters_most(api, monkeypatch):
    pytest.importorskip("sklearn")
    runs = api.runs(USUAL)
    table = runs.importance("loss").to_pylist()
    assert sum(row["importance"] for row in table) == pytest.approx(1)
    assert [row["importance"] for row in table] == sorted(
        (row["importance"] for row in table), reverse=True
    )
    assert {row["parameter"] for row in table} >= {"lr", "optimizer"}
    assert {row["value"] for row in table if row["parameter"] == "optimizer"} > {"adam"}
    assert runs.importance("loss").to_pylist() == table
    with pytest.raises(NotMirrored, match="at least 3"):
        runs.importance("nope")
    with pytest.raises(NotMirrored, match="at least 3"):
        api.runs(USUAL, {"config.lr": -1}).importance("loss")


def run_command(mirror, *arguments):
    done = CliRunner().invoke(
        cli, ["--mirror", str(mirror.folder), *arguments], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def test_importance_can_be_asked_for_on_the_command_line(mirror, offline):
    pytest.importorskip("sklearn")
    rows = json.loads(run_command(mirror, "importance", USUAL, "--metric", "accuracy", "--json"))
    assert list(rows[0]) == ["parameter", "value", "importance", "correlation", "run_count"]


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_an_export_has_every_row_under_the_published_names(mirror, offline, tmp_path, file_format):
    for project in (USUAL, ODD, USUAL):
        printed = run_command(mirror, "export", project, str(tmp_path), "--format", file_format)
        assert f"runs/entity={TEAM}" in printed
    assert not list(tmp_path.rglob("*.tmp"))
    reader = f"read_{file_format}"
    options = ", hive_partitioning = true, union_by_name = true"
    with Published.open(mirror.published_path) as published, duckdb.connect() as connection:
        for table in ("runs", "metrics", "metric_stats", "run_tags", "run_config"):
            [(there,)] = published.rows(f"SELECT count(*) FROM main.{table}")
            found = connection.execute(
                f"SELECT count(*), count(DISTINCT project) FROM {reader}('{tmp_path}/{table}/*/*/*.{file_format}'{options})"
            ).fetchone()
            assert found == (there, 2), table
    if file_format == "parquet":
        file = tmp_path / "runs" / f"entity={TEAM}" / "project=mnist-baselines" / "data.parquet"
        names = pq.read_schema(file).names
        assert {"run_id", "config", "config.lr", "summary.loss", "history_status"} <= set(names)
        history = pq.read_table(
            file.parents[3] / "history" / file.parent.relative_to(file.parents[2]) / file.name
        )
        assert {"_step", "loss", "logged_at"} <= set(history.column_names)


def test_sql_takes_parameters_by_name(mirror, offline):
    rows = run_command(
        mirror, "sql", "SELECT count(*) AS n FROM runs WHERE project = $project AND history_rows > $least",
        "-p", "project=mnist-baselines", "-p", "least=1", "--json",
    )  # fmt: skip
    assert json.loads(rows) == [{"n": 40}]
    text = run_command(mirror, "sql", "SELECT $x AS x", "-p", 'x="1"', "--json")
    assert json.loads(text) == [{"x": "1"}]


@pytest.mark.parametrize("parameter", ["x", "=1", "1x=2"])
def test_a_parameter_without_a_name_is_a_usage_error(mirror, offline, parameter, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--mirror", str(mirror.folder), "sql", "SELECT 1", "-p", parameter])
    assert stopped.value.code == 2
    assert "NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("runs team/m", ["team/mnist-baselines"]),
        ("history team/odd", ["team/oddities/"]),
        ("history team/oddities/twin", ["team/oddities/twin-1", "team/oddities/twin-2"]),
        ("history team/oddities/late --keys accuracy,los", ["accuracy,loss", "accuracy,loss~2"]),
        ("importance team/mnist-baselines --metric accur", ["accuracy"]),
        ("runs nobody", []),
    ],
)  # fmt: skip
def test_the_shell_is_offered_what_the_mirror_has(mirror, offline, words, offered):
    line = f"wandb-mirror --mirror {mirror.folder} {words}"
    place = len(line.split()) - 1
    environment = {
        "_WANDB_MIRROR_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(place),
    }
    done = CliRunner().invoke(cli, [], prog_name="wandb-mirror", env=environment)
    found = [each.partition(",")[2] for each in done.output.split()]
    assert sorted(found) == sorted(offered), done.output


def test_the_shell_is_offered_nothing_without_a_mirror(tmp_path):
    line = f"wandb-mirror --mirror {tmp_path} runs t"
    environment = {"_WANDB_MIRROR_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "4"}
    assert (
        CliRunner().invoke(cli, [], prog_name="wandb-mirror", env=environment).output.strip() == ""
    )
