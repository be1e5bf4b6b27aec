"""Which passwords people may choose, and how they are kept."""

import time

import pytest
from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.models import User

WILHELMINA = User(email="w.okonkwo@northside.test", name="Wilhelmina Okonkwo")


def codes(password: str) -> set[str]:
    try:
        validate_password(password, WILHELMINA)
    except ValidationError as exc:
        return {str(error.code) for error in exc.error_list}
    return set()


@pytest.mark.parametrize(
    ("password", "refused_as"),
    [
        ("k8#Vq2!zR0", {"password_too_short"}),
        ("password1234", {"password_too_common", "password_guessable"}),
        ("1qaz2wsx3edc4rfv", {"password_too_common", "password_guessable"}),
        ("829401736458", {"password_entirely_numeric"}),
        ("w.okonkwo@northside", {"password_too_similar"}),
        ("Okonkwo-1987", {"password_too_similar", "password_guessable"}),
        ("P@ssw0rd-2026", {"password_guessable"}),
        ("Liverpool1987", {"password_guessable"}),
        ("aaaaaaaaaaaaaaaa", {"password_guessable"}),
        ("abcdefghijklmnop", {"password_guessable"}),
        ("qwertyuiop[]asdf", {"password_guessable"}),
        ("Qwerty123456!", {"password_guessable"}),
        ("violet-tractor-sings", set()),
        ("Practice-demo-1!", set()),
        ("k8#Vq2!zR0pX", set()),
        ("Übergroße Wälder im Frühjahr", set()),
        ("密码很长而且少见的一句话呀", set()),
    ],
)
def test_password_that_is_guessed_early_is_refused(password: str, refused_as: set[str]) -> None:
    assert codes(password) == refused_as


def test_longest_password_is_judged_in_no_time() -> None:
    begun = time.process_time()
    assert codes("violet-tractor-sings" * 50) == set()
    assert codes("a" * 1000) == {"password_guessable"}
    assert time.process_time() - begun < 1


def test_passwords_are_kept_by_argon2id() -> None:
    kept = make_password("violet-tractor-sings")
    assert identify_hasher(kept).algorithm == "argon2"
    assert kept.startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")
