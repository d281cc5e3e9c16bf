import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.capture.sources.multipart import HEADERS_MAX_BYTES, MultipartParser, Part, StreamMalformed

MAX = 100_000
# Bodies that hold whatever could be taken for something else, but not the delimiter itself.
BODIES = st.lists(
    st.lists(st.sampled_from([b"\r\n", b"\n", b"--", b"\r", b"--fram", b"\xff\xd8\xff", b"a", b"\0" * 40])).map(
        b"".join
    ),
    max_size=6,
)


def stream(bodies: list[bytes], *, counted: bool, line: bytes = b"\r\n", preamble: bytes = b"") -> bytes:
    """What a camera sends: delimiter, headers, body, each part closed by a line break."""
    data = preamble
    for body in bodies:
        length = b"Content-Length: %d" % len(body) + line if counted else b""
        data += b"--frame" + line + b"Content-Type: image/jpeg" + line + length + line + body + line
    return data + b"--frame" + line


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(edge % (len(data) + 1) for edge in at), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


def parse(pieces: list[bytes]) -> list[Part]:
    parser = MultipartParser(MAX)
    return [part for number, piece in enumerate(pieces) for part in parser.feed(piece, number)]


@given(BODIES, st.booleans(), st.sampled_from([b"\r\n", b"\n"]), st.lists(st.integers(0, 10_000), max_size=30))
def test_the_parts_are_the_same_however_the_bytes_are_cut(
    bodies: list[bytes], counted: bool, line: bytes, at: list[int]
) -> None:
    wanted = bodies
    data = stream(bodies, counted=counted, line=line)
    got = [bytes(part.body) for part in parse(cut(data, at))]
    if not counted and line == b"\n":  # then a last carriage return is taken for a part of the line break
        got = [body.rstrip(b"\r") for body in got]
        wanted = [body.rstrip(b"\r") for body in wanted]
    assert got == wanted


@given(BODIES, st.booleans())
def test_byte_by_byte_is_no_different(bodies: list[bytes], counted: bool) -> None:
    data = stream(bodies, counted=counted)
    assert [bytes(part.body) for part in parse([bytes([byte]) for byte in data])] == bodies


@given(st.binary(max_size=2_000), st.lists(st.integers(0, 5_000), max_size=20))
def test_any_bytes_are_parts_or_malformed(data: bytes, at: list[int]) -> None:
    try:
        parse(cut(b"--frame\r\n\r\n" + data, at))
    except StreamMalformed:
        pass


def test_the_time_is_that_of_the_first_byte_behind_the_delimiter() -> None:
    parser = MultipartParser(MAX)
    assert parser.feed(b"--frame\r\n", 10) == []
    assert parser.feed(b"Content-Length: 3\r\n\r\nab", 20) == []
    first, second = parser.feed(b"c\r\n--frame\r\nContent-Length: 1\r\n\r\nx", 30)
    assert (bytes(first.body), first.arrived_ns) == (b"abc", 20)
    assert (bytes(second.body), second.arrived_ns) == (b"x", 30)


def test_a_part_of_known_length_is_done_before_its_delimiter_comes() -> None:
    assert len(parse([b"--frame\r\nContent-Length: 3\r\n\r\nabc"])) == 1


def test_the_boundary_is_learnt_not_believed() -> None:
    parts = parse([b"\r\nsome preamble\r\n----my boundary=1\r\nContent-Length: 1\r\n\r\na\r\n----my boundary=1\r\n"])
    assert [bytes(part.body) for part in parts] == [b"a"]


def test_the_content_type_is_told() -> None:
    assert parse([b"--f\r\ncontent-TYPE:  Image/JPEG \r\nContent-Length: 0\r\n\r\n"])[0].content_type == "image/jpeg"


def test_a_length_that_is_too_short_costs_one_part() -> None:
    data = b"--f\r\nContent-Length: 2\r\n\r\nabcdef\r\n--f\r\nContent-Length: 1\r\n\r\nx\r\n--f\r\n"
    assert [bytes(part.body) for part in parse([data])] == [b"ab", b"x"]


def test_the_closing_delimiter_ends_the_stream() -> None:
    parser = MultipartParser(MAX)
    parser.feed(b"--f\r\nContent-Length: 1\r\n\r\nx\r\n--f--\r\n", 0)
    assert parser.is_ended
    assert parser.feed(b"--f\r\nContent-Length: 1\r\n\r\nx\r\n", 0) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"--f\r\nContent-Length: 100001\r\n\r\n", "Content-Length b'100001', limit 100000"),
        (b"--f\r\nContent-Length: -1\r\n\r\n", "Content-Length b'-1'"),
        (b"--f\r\nContent-Length: 1e3\r\n\r\n", "Content-Length b'1e3'"),
        (b"--f\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", "Content-Length b'9999"),
        (b"--f\r\n\r\n" + b"x" * 100_001, "a part exceeds 100000 bytes"),
        (b"--f\r\n" + b"X: y\r\n" * 20_000, f"headers exceed {HEADERS_MAX_BYTES} bytes"),
        (b"--f\r\n" + b"x" * 20_000, f"headers exceed {HEADERS_MAX_BYTES} bytes"),
        (b"x" * 100_001, "no delimiter in 100001 bytes"),
    ],
)
def test_what_has_no_bounds_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(StreamMalformed, match=message):
        parse([data])
