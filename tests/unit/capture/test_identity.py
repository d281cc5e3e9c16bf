import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll import wire
from services.capture.identity import (
    choose,
    pointer_answer,
    pointer_query,
    replica_name,
    sanitised,
    without_project,
)

NUMBER = b"\x12\x34"
# As Docker's embedded server answered a container named captest-capture-3 on the network captest_default.
ANSWER = (
    b"\x124\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x012\x010\x0218\x03172\x07in-addr\x04arpa\x00\x00\x0c\x00\x01"
    b"\x012\x010\x0218\x03172\x07in-addr\x04arpa\x00\x00\x0c\x00\x01\x00\x00\x02X\x00#"
    b"\x11captest-capture-3\x0fcaptest_default\x00"
)


@pytest.mark.parametrize(
    ("full_name", "replica"),
    [
        ("preroll-capture-3.preroll_default", "capture-3"),
        ("preroll_capture_3.preroll_default", "capture_3"),
        ("my-line-capture-1.my-line_default", "capture-1"),
        ("my_line-capture-1.my_line_default", "capture-1"),
        ("my_line-camera_2-1.my_line_plant_net", "camera_2-1"),
        ("preroll-preroll-1.preroll_default", "preroll-1"),
        ("front-door.preroll_default", "front-door"),
        ("preroll-capture-3.plant", "preroll-capture-3"),
        ("preroll.preroll_default", "preroll"),
        ("box", "box"),
    ],
)
def test_the_replica_is_named_without_its_project(full_name: str, replica: str) -> None:
    assert without_project(full_name) == replica


def test_under_compose_the_replica_names_the_camera() -> None:
    assert (
        choose("preroll-capture-3.preroll_default", {"HONCHO_PROCESS_NAME": "capture.1"}, "d2a67cc94a8e") == "capture-3"
    )


def test_under_honcho_the_process_names_the_camera() -> None:
    assert choose(None, {"HONCHO_PROCESS_NAME": "capture.2"}, "box") == "capture-2"


def test_else_the_host_names_the_camera() -> None:
    assert choose(None, {}, "Line-7.plant.example") == "line-7"


@given(st.text(max_size=100))
def test_any_name_becomes_a_camera_id(name: str) -> None:
    assert re.fullmatch(wire.CAMERA_ID_PATTERN, sanitised(name))


def test_the_question_is_that_of_a_reverse_look_up() -> None:
    assert pointer_query(NUMBER, "172.18.0.2") == (
        b"\x124\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x012\x010\x0218\x03172\x07in-addr\x04arpa\x00\x00\x0c\x00\x01"
    )


def test_the_answer_names_the_container() -> None:
    assert pointer_answer(ANSWER, NUMBER) == "captest-capture-3.captest_default"


def test_an_answer_to_another_question_is_none() -> None:
    assert pointer_answer(ANSWER, b"\0\0") is None


def test_a_refusal_is_none() -> None:
    assert pointer_answer(ANSWER[:3] + b"\x83" + ANSWER[4:], NUMBER) is None


@given(st.integers(0, len(ANSWER)), st.binary(max_size=40))
def test_a_broken_answer_never_crashes(length: int, tail: bytes) -> None:
    pointer_answer(ANSWER[:length] + tail, NUMBER)


def test_a_loop_in_the_answer_ends() -> None:
    assert pointer_answer(ANSWER[:12] + b"\xc0\x0c" + ANSWER[14:], NUMBER) is None


def test_without_dockers_server_nobody_is_asked(tmp_path: Path) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    assert replica_name(resolv_conf) is None
    resolv_conf.write_text("nameserver 192.0.2.1\n")
    assert replica_name(resolv_conf) is None
