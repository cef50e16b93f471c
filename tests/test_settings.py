from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from wandb_mirror.errors import BadSettings
from wandb_mirror.settings import Settings, load_settings

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


def load(tmp_path, text="", environ=None, overrides=None):
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load_settings(file, environ or {}, overrides or {})


def test_the_example_holds_every_setting_with_its_default():
    shown = tomllib.loads(EXAMPLE.read_text())
    defaults = msgspec.json.decode(msgspec.json.encode(Settings()))
    assert shown == defaults


def test_without_anything_the_defaults_hold():
    assert load_settings(None, {}, {}) == Settings()


def test_flags_come_before_environment_before_file(tmp_path):
    text = '[upstream]\nbase_url = "https://file"\nworkers = 2\n'
    environ = {"WANDB_BASE_URL": "https://environment"}
    assert load(tmp_path, text).upstream.base_url == "https://file"
    assert load(tmp_path, text, environ).upstream.base_url == "https://environment"
    flags = {"upstream.base_url": "https://flag"}
    settings = load(tmp_path, text, environ, flags)
    assert (settings.upstream.base_url, settings.upstream.workers) == ("https://flag", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[upstreem]\n", r"no section \[upstreem\]; did you mean upstream\?"),
        ("[upstream]\nworker = 3\n", r"no setting upstream.worker; did you mean workers\?"),
        ("[upstream]\nworkers = 'six'\n", r"upstream.workers is 'six': expected `int`, got `str`"),
        ("[upstream]\nworkers = 0\n", r"upstream.workers is 0: expected `int` >= 1"),
        ("[upstream]\ntimeout_seconds = inf\n", r"upstream.timeout_seconds is inf: "),
        ("[upstream]\ntimeout_seconds = nan\n", r"upstream.timeout_seconds is nan: "),
        ("[sync]\nprojects = ['a/b', 3]\n", r"sync.projects is \['a/b', 3\]: expected `str`"),
        ("[publish]\nmode = 'rwx'\n", r"publish.mode is 'rwx': "),
        ("upstream = 3\n", r"upstream is a section"),
        ("[upstream\n", r"is not TOML"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_what_would_do(tmp_path, text, message):
    with pytest.raises(BadSettings, match=message):
        load(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSettings, match=r"none\.toml cannot be read"):
        load_settings(tmp_path / "none.toml", {}, {})


def test_a_timeout_that_is_no_number_is_named():
    with pytest.raises(BadSettings, match="WANDB_HTTP_TIMEOUT"):
        load_settings(None, {"WANDB_HTTP_TIMEOUT": "soon"}, {})


@pytest.mark.parametrize(
    ("environ", "overrides", "message"),
    [
        ({"WANDB_HTTP_TIMEOUT": "0"}, {}, r"^WANDB_HTTP_TIMEOUT: upstream.timeout_seconds is 0"),
        ({}, {"upstream.workers": 99}, r"^a flag or an argument: upstream.workers is 99"),
        ({}, {"workers": 3}, r"^a flag or an argument: no section \[workers\]"),
        ({}, {"upstream.worker": 3}, r"no setting upstream.worker; did you mean workers\?"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_where_it_was_said(environ, overrides, message):
    with pytest.raises(BadSettings, match=message):
        load_settings(None, environ, overrides)


def test_a_file_whose_section_is_no_table_is_told_so_under_flags_too(tmp_path):
    with pytest.raises(BadSettings, match="upstream is a section"):
        load(tmp_path, "upstream = 3\n", overrides={"upstream.workers": 2})


def test_the_server_of_the_last_login_is_meant_where_nothing_else_says_which(tmp_path):
    (tmp_path / "settings").write_text("[default]\nbase_url = https://login\n")
    environ = {"WANDB_CONFIG_DIR": str(tmp_path)}
    assert load(tmp_path, "", environ).upstream.base_url == "https://login"
    text = '[upstream]\nbase_url = "https://file"\n'
    assert load(tmp_path, text, environ).upstream.base_url == "https://file"


def test_the_settings_of_a_login_lie_under_home(tmp_path):
    folder = tmp_path / ".config" / "wandb"
    folder.mkdir(parents=True)
    (folder / "settings").write_text("[default]\nbase_url = https://login\n")
    assert load_settings(None, {"HOME": str(tmp_path)}, {}).upstream.base_url == "https://login"
