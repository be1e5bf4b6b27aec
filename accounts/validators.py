from threading import Lock
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError

if TYPE_CHECKING:
    from accounts.models import User

_one_at_a_time = Lock()  # zxcvbn keeps `user_inputs` in a global: another thread's would be asked
MIN_SCORE = 3  # of 4: more than 10^8 guesses
MAX_SCORED = 72  # the estimate takes longer than linear time, and what is good so far doesn't get worse


class GuessableValidator:
    """Refuses what a guesser tries early, however long: common words, names, keyboard rows, repeats, years, l33t.

    zxcvbn brings its own lists; Django's list of common passwords is asked beside it.
    """

    def validate(self, password: str, user: "User | None" = None) -> None:
        from zxcvbn import zxcvbn  # here, because its lists take 8 MB that only a new password needs

        known = [user.name, *user.name.split(), user.email, *user.email.split("@")] if user is not None else []
        with _one_at_a_time:
            found = zxcvbn(password[:MAX_SCORED], user_inputs=known, max_length=MAX_SCORED)
        if found["score"] < MIN_SCORE:
            why = str(found["feedback"]["warning"] or "Add another word or two; uncommon words are better.")
            raise ValidationError(f"This password is easy to guess. {why}", code="password_guessable")

    def get_help_text(self) -> str:
        return "Your password can't be easy to guess: a few uncommon words are good, a name and a year are not."
