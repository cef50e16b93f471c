from __future__ import annotations

import gzip
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from fakes.serving import BASE_URL, KEY, Clock, client_of
from wandb_mirror.errors import (
    BadSettings,
    BudgetSpent,
    Interrupted,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
    UpstreamBroken,
)
from wandb_mirror.settings import UpstreamSettings
from wandb_mirror.upstream.authority import Authority
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.credentials import Credentials

GOOD = httpx.Response(200, json={"data": {"a": 1}})
DOCUMENT = "query Q { a }"


class Script:
    """Answers one thing after another, the last one for ever; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=answer.content, request=request
        )


class Trickle(httpx.SyncByteStream):
    """A body that comes in pieces; at its end an error, where one is given."""

    def __init__(self, pieces, error=None) -> None:
        self.pieces, self.error, self.sent = pieces, error, 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.sent += 1
            yield piece
        if self.error is not None:
            raise self.error


def test_a_document_is_sent_with_its_variables_the_key_and_our_name():
    script = Script(GOOD)
    assert client_of(script).execute(DOCUMENT, {"n": 1}) == {"a": 1}
    (request,) = script.requests
    assert (request.method, str(request.url)) == ("POST", f"{BASE_URL}/graphql")
    assert json.loads(request.content) == {"query": DOCUMENT, "variables": {"n": 1}}
    assert request.headers["user-agent"].startswith("wandb-mirror/")
    assert httpx.BasicAuth("api", KEY)._auth_header == request.headers["authorization"]
    assert "gzip" in request.headers["accept-encoding"]


def test_a_name_that_is_no_text_can_be_sent_even_so():
    script = Script(GOOD)
    client_of(script).execute(DOCUMENT, {"name": "\udc80"})
    assert json.loads(script.requests[0].content)["variables"] == {"name": "\udc80"}


@pytest.mark.parametrize("status", [408, 418, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status):
    client = client_of(Script(httpx.Response(status), GOOD))
    assert client.execute(DOCUMENT, {}) == {"a": 1}
    assert (client.usage.requests, client.usage.retries) == (2, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422, 501])
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"errors":[{"message":"no"}]}'])
def test_what_will_not_pass_is_not_tried_again(status, body):
    client = client_of(Script(httpx.Response(status, content=body)))
    with pytest.raises((Unauthorized, Refused, BadSettings, UpstreamBroken)) as caught:
        client.execute(DOCUMENT, {})
    assert client.usage.requests == 1
    assert isinstance(caught.value, Unauthorized) == (status in (401, 403))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(200, content=b'{"data": {"a"'),
        httpx.Response(200, content=b"<html><title>Log in</title></html>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"[]"),
        httpx.Response(200, content=b'{"data": null}'),
        httpx.Response(200, content=b"\xff\xfe"),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, content=b'{"data":' + b"[" * 700 + b"]" * 700 + b"}"),
    ],
    ids=str,
)
def test_a_broken_answer_is_tried_again_and_named_at_last(answer):
    assert client_of(Script(answer, GOOD)).execute(DOCUMENT, {}) == {"a": 1}
    client = client_of(Script(answer), max_retries=2)
    with pytest.raises((UpstreamBroken, Unreachable), match=r"api\.test"):
        client.execute(DOCUMENT, {})
    assert client.usage.requests == 3


def test_a_body_that_breaks_off_or_cannot_be_unpacked_is_broken():
    torn = httpx.Response(200, stream=Trickle([b"{"], httpx.RemoteProtocolError("incomplete")))
    with pytest.raises(UpstreamBroken, match="broke off"):
        client_of(lambda _: torn, max_retries=0).execute(DOCUMENT, {})

    def packed_wrongly(_):
        stream = Trickle([b"not gzip at all"])
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=stream)

    with pytest.raises(UpstreamBroken, match="unpacked"):
        client_of(packed_wrongly, max_retries=0).execute(DOCUMENT, {})


def test_a_reply_that_is_too_large_is_given_up_on_its_way_and_not_asked_for_again():
    body = Trickle([b"x" * 100_000] * 1000)
    client = client_of(lambda _: httpx.Response(200, stream=body), max_reply_mb=1, max_retries=9)
    with pytest.raises(UpstreamBroken, match="more than 1 MB") as caught:
        client.execute(DOCUMENT, {})
    assert caught.value.is_too_large
    assert body.sent <= 12
    assert client.usage.requests == 1


def test_a_reply_that_is_large_only_when_unpacked_is_too_large_too():
    packed = gzip.compress(b" " * 5_000_000)
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Trickle([packed]))
    client = client_of(lambda _: answer, max_reply_mb=1, max_retries=0)
    with pytest.raises(UpstreamBroken, match="more than 1 MB"):
        client.execute(DOCUMENT, {})
    assert client.usage.bytes_received == len(packed)


def test_a_reply_that_trickles_in_for_ever_ends():
    clock = Clock()

    def trickle():
        while True:
            clock.now += 1.0
            yield b" "

    client = Client(
        BASE_URL,
        Authority(BASE_URL, Credentials("a test", KEY)),
        UpstreamSettings(timeout_seconds=2.0, max_retries=0),
        transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Trickle(trickle()))),
        clock=clock,
    )
    with pytest.raises(UpstreamBroken, match="had not ended a reply after 20 s") as caught:
        client.execute(DOCUMENT, {})
    assert caught.value.is_too_large


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(504),
        httpx.Response(502),
        httpx.ReadTimeout(""),
        httpx.Response(200, json={"errors": [{"message": "internal server error"}]}),
    ],
)
def test_what_a_smaller_page_may_mend_is_not_asked_for_again_and_again(answer):
    client = client_of(Script(answer))
    with pytest.raises(UpstreamBroken) as caught:
        client.execute(DOCUMENT, {})
    assert caught.value.is_too_large
    assert client.usage.requests == 2


ODD = {"errors": [{"message": "something broke", "path": ["project"]}], "data": {"project": None}}


@pytest.mark.parametrize(
    ("document", "status", "requests"),
    [(DOCUMENT, 200, 2), (DOCUMENT, 400, 1), ("mutation A", 200, 1)],
)
def test_an_error_that_nobody_explains_is_asked_about_once_more(document, status, requests):
    client = client_of(Script(httpx.Response(status, json=ODD)))
    with pytest.raises(Refused, match="something broke"):
        client.execute(document, {})
    assert client.usage.requests == requests


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_the_key_stays_here(status):
    script = Script(httpx.Response(status, headers={"location": "https://evil.test/x?sig=s3cr3t"}))
    with pytest.raises(BadSettings, match=r"redirects to evil\.test") as caught:
        client_of(script).execute(DOCUMENT, {})
    assert [request.url.host for request in script.requests] == ["api.test"]
    assert "s3cr3t" not in str(caught.value)


def test_a_429_makes_every_worker_wait_as_long_as_it_says():
    clock = Clock()
    client = client_of(Script(httpx.Response(429, headers={"retry-after": "17"}), GOOD))
    client._stop = client._clock = client._pace.clock = clock
    client.execute(DOCUMENT, {})
    assert clock.waits == [17.0]
    assert client.usage.throttled == 1


def test_what_one_worker_is_told_all_of_them_heed():
    client = client_of(Script(httpx.Response(429, headers={"retry-after": "17"})))
    client._stop = threading.Event()
    client._stop.set()
    with pytest.raises(Interrupted):
        client.execute(DOCUMENT, {})
    assert client._pace.seconds_to_wait() == 17


def test_a_server_that_puts_off_again_and_again_is_given_up():
    client = client_of(Script(httpx.Response(503, headers={"retry-after": "400"})))
    with pytest.raises(Throttled):
        client.execute(DOCUMENT, {})
    assert client.usage.requests == 3  # 400 s, 400 s, and not a third time


def test_a_server_that_asks_for_hours_is_not_waited_for():
    client = client_of(Script(httpx.Response(429, headers={"retry-after": "7200"})))
    with pytest.raises(Throttled, match="for 7200 s") as caught:
        client.execute(DOCUMENT, {})
    assert caught.value.after_seconds == 7200
    assert client.usage.requests == 1


def test_a_wish_to_stop_ends_a_wait_at_once():
    stop = threading.Event()
    stop.set()
    client = client_of(Script(httpx.Response(503)))
    client._stop = stop
    with pytest.raises(Interrupted):
        client.execute(DOCUMENT, {})
    assert client.usage.requests == 1


def test_the_budget_of_requests_is_kept_by_tries_too():
    client = client_of(Script(httpx.Response(503)), max_requests=3)
    with pytest.raises(BudgetSpent, match="budget of 3 requests"):
        client.execute(DOCUMENT, {})
    assert client.usage.requests == 3


def test_a_certificate_that_is_not_trusted_is_a_setting_to_mend():
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
    client = client_of(Script(error))
    with pytest.raises(BadSettings, match=r"SSL_CERT_FILE or upstream\.ca_file"):
        client.execute(DOCUMENT, {})
    assert client.usage.requests == 1


def test_a_file_without_certificates_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(BadSettings, match=r"upstream\.ca_file: .*ca\.pem"):
        client_of(Script(GOOD), ca_file=str(tmp_path / "ca.pem"))


@pytest.mark.parametrize("proxy", ["ftp://u:pr0xysecret@proxy.test", "http://u:pr0xysecret@h:port"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(BadSettings, match="proxy") as caught:
        Client(BASE_URL, Authority(BASE_URL, Credentials("a test", KEY)), UpstreamSettings())
    assert "pr0xysecret" not in "".join(traceback.format_exception(caught.value))


ANSWERS_THAT_REPEAT_WHAT_THEY_GOT = [
    lambda request: httpx.Response(401, text=str(request.headers.raw)),
    lambda request: httpx.Response(500, text=f"no: {request.headers['authorization']}"),
    lambda request: httpx.Response(200, text=f"{'x ' * 140}{request.headers['authorization']}"),
    lambda request: httpx.Response(200, text=f"{'x' * 570} {KEY} {KEY}"),
    lambda request: httpx.Response(200, text=f"{('h' * 36 + ' ') * 32}{KEY}"),
    lambda request: httpx.Response(
        400, json={"errors": [{"message": f"bad key {KEY} at https://s.test/f?X-Amz-Sig=abc"}]}
    ),
    lambda request: httpx.Response(200, json={"errors": [{"message": "z" * 290 + " " + KEY}]}),
    lambda request: httpx.Response(302, headers={"location": f"https://x.test/?key={KEY}"}),
]


@pytest.mark.parametrize("answer", ANSWERS_THAT_REPEAT_WHAT_THEY_GOT)
def test_no_secret_gets_into_errors_or_logs(answer, caplog):
    caplog.set_level(logging.DEBUG)
    client = client_of(answer, max_retries=0)
    with pytest.raises((Unauthorized, UpstreamBroken, Refused, BadSettings)) as caught:
        client.execute(DOCUMENT, {})
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert KEY[:8] not in told
    assert "YXBpOm" not in told  # "api:" in Basic
    assert "X-Amz" not in told


def test_headers_that_cannot_be_sent_are_not_repeated():
    secret = httpx.LocalProtocolError("Illegal header value b'Bearer s3cr3t'")
    with pytest.raises(BadSettings) as caught:
        client_of(Script(secret)).execute(DOCUMENT, {})
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_what_was_used_is_counted():
    answers = iter([httpx.Response(503), httpx.Response(200, stream=Trickle([b'{"data":{}}']))])
    client = client_of(lambda _: next(answers))
    client.execute(DOCUMENT, {})
    usage = client.usage
    assert (usage.requests, usage.retries, usage.throttled) == (2, 1, 0)
    assert usage.bytes_received == 11


@pytest.mark.parametrize(
    "url", ["", "ftp://h/a", "file:///etc/passwd", "https:///a", "http://[", "https://h:x/"]
)
def test_what_is_no_address_of_the_web_is_refused_and_not_tried(url):
    script = Script(GOOD)
    with pytest.raises(Refused, match="no address"):
        client_of(script).download(url)
    assert not script.requests


def test_a_network_that_is_gone_for_ten_minutes_ends_nothing_and_is_told_once_a_wait():
    clock, told = Clock(), []

    def answer(request):
        if 5 <= clock.now < 605:
            raise httpx.ConnectError("no route to host")
        clock.now += 5
        return httpx.Response(200, json={"data": {"a": 1}})

    client = client_of(answer)
    client._stop = client._clock = client._pace.clock = clock
    client._progress = SimpleNamespace(say=told.append)
    client.execute(DOCUMENT, {})
    client.execute(DOCUMENT, {})
    assert clock.now < 700
    assert len(told) == client.usage.retries < 16
    assert "no route to host; trying again in 60 s" in told[-1]


def test_a_host_of_files_that_never_answers_is_tried_in_earnest_once_and_ends_nothing_else():
    asked = []

    def answer(request):
        asked.append(request.url.host)
        if request.url.host == "closed.test":
            raise httpx.ConnectError("no route to host")
        return httpx.Response(200, json={"data": {"a": 1}})

    client = client_of(answer)
    client.execute(DOCUMENT, {})
    for _ in range(3):
        with pytest.raises(UpstreamBroken, match=r"closed\.test cannot be reached: no route"):
            client.download("https://closed.test/file?sig=s3cr3t")
    assert client.download("https://open.test/file")
    assert asked == ["api.test", *["closed.test"] * 3, "open.test"]


def test_a_host_of_files_that_is_gone_for_a_while_is_waited_for():
    clock = Clock()

    def answer(request):
        if 5 <= clock.now < 605:
            raise httpx.ConnectError("no route to host")
        clock.now += 5
        return httpx.Response(200, content=b"x")

    client = client_of(answer)
    client._stop = client._clock = client._pace.clock = clock
    for _ in range(2):
        assert client.download("https://files.test/file") == b"x"
    assert 605 < clock.now < 700
