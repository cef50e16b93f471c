from __future__ import annotations

import base64
import threading
import traceback

import httpx
import pytest

from fakes.serving import BASE_URL, KEY, Clock, Server, client_of
from wandb_mirror.errors import BadSettings, Throttled, Unauthorized, UpstreamBroken
from wandb_mirror.jsontext import dumps
from wandb_mirror.upstream.authority import Authority
from wandb_mirror.upstream.credentials import Credentials


class Exchange:
    """Hands out tokens ``t1``, ``t2``, … and remembers what it was asked."""

    def __init__(self, lifetime=3600) -> None:
        self.lifetime = lifetime
        self.asked = []

    def __call__(self, url, form) -> tuple[int, bytes]:
        self.asked.append((url, dict(form)))
        token = f"t{len(self.asked)}"
        return 200, dumps({"access_token": token, "expires_in": self.lifetime}).encode()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("a.b.c\n")
    return path


def authority_of(token_file, clock=None):
    return Authority(BASE_URL, Credentials("a test", token_file=token_file), clock or Clock())


def test_a_key_is_sent_as_the_password_of_the_user_api():
    headers = Authority(BASE_URL, Credentials("a test", KEY)).headers(Exchange())
    scheme, _, pair = headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair).decode()) == ("Basic", f"api:{KEY}")


def test_extra_headers_never_replace_the_key():
    extra = {"X-Pass": "p", "Authorization": "none"}
    headers = Authority(BASE_URL, Credentials("a test", KEY, extra_headers=extra)).headers(
        Exchange()
    )
    assert headers["X-Pass"] == "p"
    assert headers["Authorization"].startswith("Basic ")


def test_an_identity_token_is_exchanged_at_the_server(token_file):
    exchange = Exchange()
    assert authority_of(token_file).headers(exchange) == {"Authorization": "Bearer t1"}
    ((url, form),) = exchange.asked
    assert url == f"{BASE_URL}/oidc/token"
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": "a.b.c",
    }


@pytest.mark.parametrize(("lifetime", "held"), [(3600, 3300), (600, 300), (60, 30)])
def test_an_access_token_is_renewed_in_time(token_file, lifetime, held):
    clock, exchange = Clock(), Exchange(lifetime)
    authority = authority_of(token_file, clock)
    authority.headers(exchange)
    clock.now = held - 1
    assert authority.headers(exchange) == {"Authorization": "Bearer t1"}
    clock.now = held
    assert authority.headers(exchange) == {"Authorization": "Bearer t2"}


def test_many_workers_exchange_a_token_once(token_file):
    exchange, authority = Exchange(), authority_of(token_file)
    workers = [threading.Thread(target=authority.headers, args=[exchange]) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(exchange.asked) == 1


def test_a_token_that_is_not_accepted_stops_everything(token_file):
    with pytest.raises(Unauthorized, match="does not accept the identity token"):
        authority_of(token_file).headers(lambda *_: (400, b"{}"))


def test_a_token_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSettings, match="nowhere cannot be read"):
        authority_of(tmp_path / "nowhere").headers(Exchange())


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"access_token": 3}', b'{"access_token": "s3cr3t\\nx"}',
     b'{"access_token": "s3cr3t", "expires_in": "long"}',
     b'{"access_token": "s3cr3t", "expires_in": 0}'],
)  # fmt: skip
def test_an_exchange_that_makes_no_sense_may_be_tried_again_and_tells_no_token(token_file, body):
    with pytest.raises(UpstreamBroken, match="no access token") as caught:
        authority_of(token_file).headers(lambda *_: (200, body))
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_an_authority_shows_neither_key_nor_token(token_file):
    authority = authority_of(token_file)
    authority.headers(lambda *_: (200, b'{"access_token": "s3cr3t"}'))
    assert "s3cr3t" not in repr(authority)
    assert KEY not in repr(Authority(BASE_URL, Credentials("a test", KEY)))


def test_the_client_exchanges_with_its_own_server_and_waits_where_that_may_pass(token_file):
    server = Server()
    exchanges = iter(
        [httpx.Response(429), httpx.Response(503), httpx.Response(200, json={"access_token": "t1"})]
    )

    def answer(request):
        if request.url.path == "/oidc/token":
            assert "authorization" not in request.headers
            return next(exchanges)
        assert request.headers["authorization"] == "Bearer t1"
        return server(request)

    client = client_of(answer)
    client._authority = authority_of(token_file)
    assert client.execute("query Q { viewer { id } }", {}) == {"viewer": {"id": "u1"}}
    client = client_of(lambda _: httpx.Response(429), max_retries=0)
    client._authority = authority_of(token_file)
    with pytest.raises(Throttled):
        client.execute("query Q { viewer { id } }", {})
