"""The codes by themselves, at times that are given."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from accounts import one_time_codes
from accounts.one_time_codes import matching_step, new_recovery_codes, provisioning_uri, recovery_digest

SECRET = base64.b32encode(b"12345678901234567890").decode()
AT = 1_111_111_109.0
STEP = int(AT) // 30


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
)
def test_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    """Appendix B, the last six of its eight digits."""
    assert one_time_codes.code_at(SECRET, at) == code
    assert matching_step(SECRET, code, after=0, at=at) == at // 30


@pytest.mark.parametrize(("steps", "found"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clock_may_be_wrong_by_one_step(steps: int, found: bool) -> None:
    code = one_time_codes.code_at(SECRET, AT + 30 * steps)
    assert matching_step(SECRET, code, after=0, at=AT) == (STEP + steps if found else None)


def test_step_that_was_used_and_earlier_ones_prove_nothing() -> None:
    codes = [one_time_codes.code_at(SECRET, AT + 30 * steps) for steps in (-1, 0, 1)]
    assert [matching_step(SECRET, code, after=STEP, at=AT) for code in codes] == [None, None, STEP + 1]


@pytest.mark.parametrize("code", ["", "81804", "0081804", " 081804", "08180x", "-81804", "٠٨١٨٠٤", "081804\n", "\0"])
def test_only_six_digits_are_a_code(code: str) -> None:
    assert matching_step(SECRET, code, after=0, at=AT) is None


def test_recovery_codes_are_ten_different_ones_read_leniently() -> None:
    codes = new_recovery_codes()
    assert len({recovery_digest(code) for code in codes}) == 10
    assert {len(code) for code in codes} == {29}
    assert recovery_digest(codes[0]) == recovery_digest(f" {codes[0].replace('-', ' ').upper()}")


def test_uri_names_issuer_and_account() -> None:
    uri = urlsplit(provisioning_uri(SECRET, "a+b@clinic.test"))
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Practice:a%2Bb%40clinic.test")
    assert parse_qs(uri.query) == {
        "secret": [SECRET],
        "issuer": ["Practice"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
