"""Names as they are searched and compared: without accents, case or punctuation."""

import unicodedata

WORD_LENGTH = 100
START_LENGTH = 3
"""Letters that words are listed by: as many as find a page or two of a small practice."""
LAST_CHARACTER = "\U0010ffff"
"""Sorts after every other under COLLATE "C"."""

_SPELLED_OUT = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "\u0131": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})


def normalise(text: str) -> str:
    """`Zoë O'Neill-Łoś` -> `zoe oneill los`. Apostrophes join; what else isn't a letter or digit separates."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in decomposed if not unicodedata.combining(c) and c not in "'\u2019\u02bc`")
    return " ".join("".join(c if c.isalnum() else " " for c in bare.translate(_SPELLED_OUT)).split())


def words(*names: str) -> set[str]:
    return {word for name in names for word in normalise(name).split()}
