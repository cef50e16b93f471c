from __future__ import annotations

import traceback

import pytest

from wandb_mirror.errors import BadSettings, NoCredentials
from wandb_mirror.upstream.credentials import (
    Credentials,
    app_url,
    find_credentials,
    normalize_base_url,
)

SAAS = "https://api.wandb.ai"
CORP = "https://wandb.corp.test:8443"


def key(letter):
    return letter * 40


def netrc_line(host, letter):
    return f"machine {host}\n  login user\n  password {key(letter)}\n"


@pytest.fixture
def home(tmp_path):
    return tmp_path


def find(home, base_url=SAAS, *, api_key=None, **environ: str):
    return find_credentials(base_url, api_key=api_key, environ=environ, home=home)


def write_wandb_settings(home, text):
    folder = home / ".config" / "wandb"
    folder.mkdir(parents=True)
    (folder / "settings").write_text(text)


def test_sources_are_asked_in_the_order_of_w_and_b_s_client(home):
    write_wandb_settings(home, f"[default]\napi_key = {key('d')}\n")
    assert find(home).api_key == key("d")
    (home / ".netrc").write_text(netrc_line("api.wandb.ai", "c"))
    assert find(home).api_key == key("c")
    assert find(home, WANDB_API_KEY=key("b")).api_key == key("b")
    assert find(home, api_key=key("a"), WANDB_API_KEY=key("b")).api_key == key("a")


def test_where_a_key_was_found_is_told_and_the_key_is_not(home):
    (home / ".netrc").write_text(netrc_line("api.wandb.ai", "c"))
    found = find(home, WANDB__EXTRA_HTTP_HEADERS='{"X-Pass": "s3cr3t"}')
    assert found.source == f"netrc file {home}/.netrc"
    for told in (repr(found), str(found), f"{found}"):
        assert key("c") not in told
        assert "s3cr3t" not in told


def test_without_a_key_the_three_ways_to_give_one_are_named(home):
    with pytest.raises(NoCredentials) as caught:
        find(home)
    for way in ("WANDB_API_KEY", "wandb login", ".netrc", "https://wandb.ai/authorize"):
        assert way in str(caught.value)


def test_a_key_and_a_token_at_once_are_refused(home):
    with pytest.raises(BadSettings, match="both"):
        find(home, WANDB_API_KEY=key("a"), WANDB_IDENTITY_TOKEN_FILE="token")


def test_a_token_file_is_found_under_home(home):
    found = find(home, WANDB_IDENTITY_TOKEN_FILE="~/token")
    assert (found.api_key, found.token_file) == (None, home / "token")


@pytest.mark.parametrize(
    ("base_url", "machine"),
    [
        (SAAS, "api.wandb.ai"),
        (SAAS, "api.forge.coreweave.com"),
        (CORP, "wandb.corp.test:8443"),
    ],
)
def test_a_netrc_entry_counts_for_its_host_alone(home, base_url, machine):
    lines = netrc_line("other.test", "o") + netrc_line(machine, "k")
    (home / ".netrc").write_text(lines + f"default login x password {key('z')}\n")
    assert find(home, base_url).api_key == key("k")
    with pytest.raises(NoCredentials):
        find(home, "https://third.test")


def test_netrc_is_where_the_environment_says_or_under_either_name(home):
    (home / "_netrc").write_text(netrc_line("api.wandb.ai", "w"))
    assert find(home).api_key == key("w")
    (home / ".netrc").write_text(netrc_line("api.wandb.ai", "u"))
    assert find(home).api_key == key("u")
    (home / "mine").write_text(netrc_line("api.wandb.ai", "m"))
    assert find(home, NETRC="~/mine").api_key == key("m")


def test_a_file_that_cannot_be_read_is_named_and_nothing_of_it_is_told(home):
    (home / ".netrc").write_text(f"machine api.wandb.ai\n  {key('s')} oops\n")
    with pytest.raises(BadSettings, match=r"netrc file .*\.netrc") as caught:
        find(home)
    assert key("s") not in "".join(traceback.format_exception(caught.value))
    (home / ".netrc").unlink()
    write_wandb_settings(home, f"api_key = {key('s')}\n")
    with pytest.raises(BadSettings, match="wandb settings file") as caught:
        find(home)
    assert key("s") not in "".join(traceback.format_exception(caught.value))


def test_a_netrc_that_is_a_folder_is_named(home):
    (home / ".netrc").mkdir()
    with pytest.raises(BadSettings, match=r"\.netrc cannot be read"):
        find(home)


@pytest.mark.parametrize(
    ("line", "base_url", "is_found"),
    [
        ("", SAAS, True),
        ("", CORP, False),
        (f"base_url = {CORP}/", CORP, True),
        (f"base_url = {CORP}", SAAS, False),
        ("base_url = https://api.forge.coreweave.com", SAAS, True),
    ],
)
def test_the_key_of_the_wandb_settings_file_goes_to_its_own_server_alone(
    home, line, base_url, is_found
):
    write_wandb_settings(home, f"[default]\napi_key = {key('d')}\n{line}\n")
    if is_found:
        assert find(home, base_url).api_key == key("d")
    else:
        with pytest.raises(NoCredentials):
            find(home, base_url)


def test_the_wandb_settings_file_is_where_the_environment_says(home):
    (home / "settings").write_text(f"[default]\napi_key = {key('d')}\n")
    assert find(home / "nowhere", WANDB_CONFIG_DIR=str(home)).api_key == key("d")


@pytest.mark.parametrize(
    "good", [key("a"), f"local-{key('b')}", "header.payload.signature", f"local-{key('b')}_-9"]
)
def test_what_looks_like_a_key_is_taken(home, good):
    assert find(home, WANDB_API_KEY=f" {good}\n").api_key == good


@pytest.mark.parametrize(
    "bad", ["short", f"{key('a')[:-1]}!", f"local-{key('b')[:-1]}", "ключ" * 10]
)
def test_what_cannot_be_a_key_is_refused_and_not_repeated(home, bad):
    with pytest.raises(BadSettings, match="WANDB_API_KEY holds no API key") as caught:
        find(home, WANDB_API_KEY=bad)
    assert bad not in str(caught.value)


def test_extra_headers_travel_with_the_key(home):
    found = find(home, WANDB_API_KEY=key("a"), WANDB__EXTRA_HTTP_HEADERS='{"X-Pass": "p"}')
    assert found.extra_headers == {"X-Pass": "p"}


@pytest.mark.parametrize("text", ["[]", "{", '{"X": 1}', '{"X Y": "a"}', '{"X": "s3cr3t\\nB: c"}'])
def test_extra_headers_that_cannot_be_sent_are_refused_and_not_repeated(home, text):
    with pytest.raises(BadSettings, match="WANDB__EXTRA_HTTP_HEADERS") as caught:
        find(home, WANDB_API_KEY=key("a"), WANDB__EXTRA_HTTP_HEADERS=text)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.wandb.ai/", SAAS),
        ("https://API.wandb.ai", SAAS),
        ("http://api.wandb.ai", SAAS),
        ("https://api.forge.coreweave.com", SAAS),
        ("https://forge.coreweave.com/api/wandb", SAAS),
        ("https://api.qa.forge.coreweave.com", "https://api.qa.wandb.ai"),
        (" https://Wandb.Corp.test:8443/ ", CORP),
        ("https://wandb.corp.test:443/w/", "https://wandb.corp.test/w"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_server_has_one_address(url, kept):
    assert normalize_base_url(url) == kept
    assert normalize_base_url(kept) == kept


@pytest.mark.parametrize(
    "url",
    ["", "api.wandb.ai", "ftp://x", "https://", "https://[::1", "https://x:port",
     "https://me:s3cr3t@x", "https://me:s3cr3t@x:port", "https://wandb.ai/team"],
)  # fmt: skip
def test_what_is_no_server_is_refused(url):
    with pytest.raises(BadSettings) as caught:
        normalize_base_url(url)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("base_url", "shown"),
    [(SAAS, "https://wandb.ai"), ("https://api.qa.wandb.ai", "https://qa.wandb.ai"), (CORP, CORP)],
)
def test_people_look_at_a_server_where_its_pages_are(base_url, shown):
    assert app_url(base_url) == shown


def test_credentials_are_equal_by_what_they_hold():
    assert Credentials("x", key("a")) != Credentials("x", key("b"))
