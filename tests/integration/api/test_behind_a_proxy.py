"""Behind a reverse proxy: whose word on the client is believed, and what follows from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import zmq

from tests.support.recorder import RunningApi

OPERATE: Final = "operate-" + "o" * 16


@pytest.fixture(params=["127.0.0.1", "192.0.2.0/28, 127.0.0.0/8"], ids=["an address", "networks"])
def proxied(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[RunningApi]:
    """An API that takes this machine for its proxy."""
    with RunningApi(context, tmp_path, key=OPERATE, trusted_proxies=request.param) as running:
        yield running


@pytest.fixture
def direct(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> Iterator[RunningApi]:
    """An API whose proxy, if it has one, is at another address."""
    with RunningApi(context, tmp_path, key=OPERATE, trusted_proxies="203.0.113.1") as running:
        yield running


def guess(api: RunningApi, headers: dict[str, str]) -> None:
    for number in range(11):
        api.http.post("/trigger", headers={**headers, "X-API-Key": f"guess-{number}"})


def trigger(api: RunningApi, headers: dict[str, str]) -> int:
    return api.http.post("/trigger", headers={**headers, "X-API-Key": OPERATE}).status_code


def cookie_of(api: RunningApi, headers: dict[str, str]) -> str:
    return api.http.post("/session", json={"key": OPERATE}, headers=headers).headers["set-cookie"]


def test_each_client_of_a_proxy_is_judged_by_itself(proxied: RunningApi) -> None:
    guess(proxied, {"X-Forwarded-For": "198.51.100.7"})
    refused = proxied.http.post("/trigger", headers={"X-Forwarded-For": "198.51.100.7", "X-API-Key": OPERATE})
    assert refused.status_code == 429
    assert "came from 198.51.100.7 within" in refused.json()["detail"]
    assert trigger(proxied, {"X-Forwarded-For": "198.51.100.8"}) == 202


def test_what_a_client_says_of_itself_is_not_what_the_proxy_adds(proxied: RunningApi) -> None:
    for number in range(11):
        claimed = {"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.7", "X-API-Key": f"guess-{number}"}
        proxied.http.post("/trigger", headers=claimed)
    assert trigger(proxied, {"X-Forwarded-For": "203.0.113.77, 198.51.100.7"}) == 429


def test_a_stranger_cannot_give_himself_another_address(direct: RunningApi) -> None:
    for number in range(11):
        claimed = {"X-Forwarded-For": f"198.51.100.{number}", "X-API-Key": f"guess-{number}"}
        direct.http.post("/trigger", headers=claimed)
    assert trigger(direct, {"X-Forwarded-For": "198.51.100.99"}) == 429
    assert trigger(direct, {}) == 429


def test_a_name_of_any_length_takes_little_memory(proxied: RunningApi) -> None:
    answer = proxied.http.get("/cameras", headers={"X-Forwarded-For": "x" * 30_000, "X-API-Key": "guess"})
    assert answer.status_code == 401
    guess(proxied, {"X-Forwarded-For": "x" * 30_000})
    refused = proxied.http.get("/cameras", headers={"X-Forwarded-For": "x" * 40_000, "X-API-Key": "guess"})
    assert refused.status_code == 429
    assert len(refused.json()["detail"]) < 200


def test_a_cookie_is_for_tls_alone_where_the_proxy_speaks_it(proxied: RunningApi) -> None:
    assert "; Secure" in cookie_of(proxied, {"X-Forwarded-Proto": "https"})
    assert "; Secure" not in cookie_of(proxied, {"X-Forwarded-Proto": "http"})
    assert "; Secure" not in cookie_of(proxied, {})


def test_a_stranger_cannot_say_that_he_came_by_tls(direct: RunningApi) -> None:
    assert "; Secure" not in cookie_of(direct, {"X-Forwarded-Proto": "https"})


def test_a_page_is_known_by_the_host_that_the_proxy_hands_on(proxied: RunningApi) -> None:
    by_tls = {"X-Forwarded-Proto": "https", "X-API-Key": OPERATE, "Origin": "https://recorder.plant.example:8443"}
    assert proxied.http.post("/trigger", headers={**by_tls, "Host": "recorder.plant.example:8443"}).status_code == 202
    named_otherwise = proxied.http.post(
        "/trigger", headers={**by_tls, "Host": "127.0.0.1", "X-Forwarded-Host": "recorder.plant.example:8443"}
    )
    assert named_otherwise.status_code == 403
    assert named_otherwise.json()["detail"] == (
        "a page of 'https://recorder.plant.example:8443' may not change anything at '127.0.0.1'"
    )
