import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.capture.sources.chunked import ChunkedBody
from services.capture.sources.multipart import StreamMalformed

CHUNKS = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


def decode(data: bytes, step: int) -> tuple[bytes, bool]:
    body = ChunkedBody()
    payload = b"".join(
        bytes(view) for at in range(0, len(data), step) for view in body.feed(memoryview(data[at : at + step]))
    )
    return payload, body.is_ended


@given(CHUNKS, st.integers(1, 700), st.sampled_from([b"", b";name=value"]), st.booleans())
def test_the_payload_is_the_same_however_the_bytes_are_cut(
    chunks: list[bytes], step: int, extension: bytes, ended: bool
) -> None:
    data = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    data += b"0\r\nTrailer: x\r\n\r\nwhatever" if ended else b""
    assert decode(data, step) == (b"".join(chunks), ended)


@pytest.mark.parametrize("data", [b"xyz\r\n", b"\r\n\r\n", b"-1\r\n", b"123456789\r\n", b"2\r\nabc\r\n", b"1" * 5_000])
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(StreamMalformed, match="chunk"):
        decode(data, 1_000)


@given(st.binary(max_size=500), st.integers(1, 100))
def test_any_bytes_are_payload_or_malformed(data: bytes, step: int) -> None:
    try:
        decode(data, step)
    except StreamMalformed:
        pass
