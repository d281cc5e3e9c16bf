from services.capture.sources.http_auth import authorization

# The examples of RFC 7616, section 3.9.1, and RFC 7617, section 2.
CHALLENGE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def answer(*challenges: str) -> str | None:
    return authorization(challenges, "/dir/index.html", "Mufasa", "Circle of Life", NONCE)


def test_digest_with_md5_is_that_of_the_standard() -> None:
    said = answer(CHALLENGE.format(algorithm="MD5"))
    assert said is not None
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in said
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in said


def test_digest_with_sha_256_is_that_of_the_standard() -> None:
    said = answer(CHALLENGE.format(algorithm="SHA-256"))
    assert said is not None
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in said


def test_digest_without_quality_of_protection_is_that_of_rfc_2069() -> None:
    said = answer('Digest realm="camera", nonce="abc"')
    assert said is not None
    assert "qop" not in said
    assert "cnonce" not in said


def test_basic_is_that_of_the_standard() -> None:
    assert authorization(['Basic realm="WallyWorld"'], "/", "Aladdin", "open sesame", "") == (
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    )


def test_digest_is_preferred_as_it_does_not_show_the_password() -> None:
    said = answer('Basic realm="x"', CHALLENGE.format(algorithm="MD5"))
    assert said is not None
    assert said.startswith("Digest ")


def test_a_digest_that_is_not_understood_is_left_for_basic() -> None:
    said = answer(CHALLENGE.format(algorithm="SHA-512-256"), 'Basic realm="x"')
    assert said is not None
    assert said.startswith("Basic ")


def test_without_a_known_challenge_there_is_no_answer() -> None:
    assert answer("Bearer", "Digest nonsense") is None
