import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll import wire

HEADER = wire.FrameHeader("cam1", "boot", "run", 7, 2, 123_456_789, 1_800_000_000_000_000_000, "jpeg", True, 1280, 720)

counts = st.integers(0, wire.INT63_MAX)
headers = st.builds(
    wire.FrameHeader,
    camera_id=st.from_regex(wire.CAMERA_ID_PATTERN, fullmatch=True),
    boot_id=st.text(min_size=1, max_size=64),
    run_id=st.text(min_size=1, max_size=64),
    seq=counts,
    rejected=counts,
    monotonic_ns=counts,
    unix_ns=counts,
    codec=st.just("jpeg"),
    keyframe=st.booleans(),
    width=st.integers(0, 65_535),
    height=st.integers(0, 65_535),
)


@given(headers)
def test_a_header_comes_back_as_it_was_sent(header: wire.FrameHeader) -> None:
    data = wire.encode_header(header)
    assert wire.decode_header(data) == header
    assert len(data) <= wire.HEADER_MAX_BYTES


def test_the_bytes_of_a_header_are_these_for_ever() -> None:
    # Services of different versions meet on one machine: a change here needs a new `v`.
    golden = (
        "8c a176 01 a963616d6572615f6964 a463616d31 a7626f6f745f6964 a4626f6f74 a672756e5f6964 a372756e a3736571 07 "
        "a872656a6563746564 02 ac6d6f6e6f746f6e69635f6e73 ce075bcd15 a7756e69785f6e73 cf18fae27693b40000 "
        "a5636f646563 a46a706567 a86b65796672616d65 c3 a57769647468 cd0500 a6686569676874 cd02d0"
    )
    assert wire.encode_header(HEADER) == bytes.fromhex(golden)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_a_wire_error(data: bytes) -> None:
    try:
        wire.decode_header(data)
    except wire.WireError:
        pass


@pytest.mark.parametrize("cut", [1, 10, 50])
def test_a_truncated_header_is_refused(cut: int) -> None:
    with pytest.raises(wire.WireError, match="truncated"):
        wire.decode_header(wire.encode_header(HEADER)[:-cut])


def test_a_header_beyond_the_limit_is_refused() -> None:
    with pytest.raises(wire.WireError, match="5000 bytes exceeds 4096"):
        wire.decode_header(b"\0" * 5000)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("v", 2, "v=2 is not 1"),
        ("v", True, "v=True is not 1"),
        ("camera_id", "", "camera_id='' is wrong: expected `str` of length >= 1"),
        ("camera_id", "c" * 64, "of length <= 63"),
        ("seq", -1, "seq=-1 is wrong: expected `int` >= 0"),
        ("seq", 2**63, f"seq={2**63} is wrong: expected `int` <= {2**63 - 1}"),
        ("seq", True, "seq=True is wrong: expected `int`, got `bool`"),
        ("seq", 1.0, "seq=1.0 is wrong: expected `int`, got `float`"),
        ("width", 65_536, "width=65536 is wrong: expected `int` <= 65535"),
        ("keyframe", 1, "keyframe=1"),
        ("codec", "h264", "codec='h264' is not 'jpeg'"),
        ("codec", 3, "codec=3 is not 'jpeg'"),
        ("run_id", None, "run_id=None"),
        ("run_id", b"run", "run_id=b'run' is wrong: expected `str`, got `bytes`"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(field: str, value: object, message: str) -> None:
    fields = {"v": 1, **msgspec.structs.asdict(HEADER), field: value}
    with pytest.raises(wire.WireError) as caught:
        wire.decode_header(msgpack.packb(fields))
    assert message in str(caught.value)


def test_an_unknown_field_is_ignored() -> None:
    fields = {"v": 1, **msgspec.structs.asdict(HEADER), "colour": "grey"}
    assert wire.decode_header(msgpack.packb(fields)) == HEADER


def test_a_missing_field_is_named() -> None:
    fields = {"v": 1, **msgspec.structs.asdict(HEADER)}
    del fields["monotonic_ns"]
    with pytest.raises(wire.WireError, match="monotonic_ns"):
        wire.decode_header(msgpack.packb(fields))


def test_a_header_without_a_version_is_of_the_first() -> None:
    assert wire.decode_header(msgpack.packb(msgspec.structs.asdict(HEADER))) == HEADER


@pytest.mark.parametrize(
    "data",
    [
        b"",
        msgpack.packb([1]),
        msgpack.packb({1: 2}),
        wire.encode_header(HEADER) + b"x",
        b"\x82\xa1v\x01\xa1y" + b"\x91" * 3000 + b"\x01",
    ],
    ids=["nothing", "no map", "a key that is no text", "more behind it", "nested without end"],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(wire.WireError, match="frame header: "):
        wire.decode_header(data)


def test_the_topic_of_one_camera_matches_no_other() -> None:
    assert not wire.topic_of("cam10").startswith(wire.topic_of("cam1"))
