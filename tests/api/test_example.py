"""A script as W&B's documentation writes them runs on the mirror with only the import changed."""

from __future__ import annotations

import pytest

SCRIPT = """
import pandas as pd
import wandb

api = wandb.Api()

# query runs
runs = api.runs(
    "team/mnist-baselines",
    {"state": "finished", "config.lr": {"$gte": 0.001}},
    order="-summary_metrics.accuracy",
)
for run in runs:
    print(run.name, run.summary.get("accuracy"))

# one run, its metrics
run = api.run("team/mnist-baselines/" + runs[0].id)
print(run.history(keys=["loss", "accuracy"]).shape)
print(len([row["loss"] for row in run.scan_history(keys=["loss"])]))
if run.state == "finished":
    for i, row in run.history(pandas=True).iterrows():
        row["_timestamp"], row["accuracy"]

# the best run of a sweep
print(api.sweep("team/mnist-baselines/s1").best_run().config["lr"])

# a table of all runs
summary_list, config_list, name_list = [], [], []
for run in api.runs("team/mnist-baselines"):
    summary_list.append(run.summary._json_dict)
    config_list.append({k: v for k, v in run.config.items() if not k.startswith("_")})
    name_list.append(run.name)
runs_df = pd.DataFrame({"summary": summary_list, "config": config_list, "name": name_list})
flat_df = pd.DataFrame([{**run.config, **run.summary} for run in api.runs("team/mnist-baselines")])
print(runs_df.shape, flat_df["lr"].notna().all())

# the files and artifacts of a run
for file in run.files():
    print(file.name, file.size)
for artifact in api.artifacts("model", "team/mnist-baselines/net"):
    print(artifact.name, artifact.aliases, [r.name for r in artifact.used_by()])
artifact = api.artifact("team/mnist-baselines/net:latest")
"""


def test_a_script_runs_with_only_the_import_changed(full, offline, monkeypatch, capsys):
    api, _ = full
    monkeypatch.setenv("WANDB_MIRROR", str(api._generations.path.parent))
    pytest.importorskip("pandas")
    names = {}
    exec(SCRIPT.replace("import wandb\n", "import wandb_mirror as wandb\n"), names)  # noqa: S102
    out = capsys.readouterr().out.splitlines()
    runs = api.runs("team/mnist-baselines", {"state": "finished", "config.lr": {"$gte": 0.001}})
    assert len(runs) > 0
    assert out[len(runs)] == "(60, 3)"
    assert out[len(runs) + 1] == "60"
    assert out[len(runs) + 3] == "(40, 3) True"
    assert out[-3].startswith("net:v2 ['latest', 'best'] [")
    with pytest.raises(names["wandb"].errors.NotDownloaded, match="wandb-mirror download"):
        names["artifact"].download()
