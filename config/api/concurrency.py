"""Lost updates: the version of an object as its ETag, and If-Match."""

import re

from rest_framework.request import Request

from config.api.problem import ParameterProblem, PreconditionFailed

_TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS = re.compile(rf"{_TAG}(?:\s*,\s*{_TAG})*", re.ASCII)


def etag(version: int) -> str:
    return f'"{version}"'


def if_match(request: Request) -> set[str] | None:
    """The entity tags of `If-Match`, {"*"} for any, None without the header. Weak tags are kept and match nothing."""
    header = request.headers.get("If-Match")
    if header is None:
        return None
    value = header.strip()
    if value == "*":
        return {"*"}
    if len(value) > 1000 or not _TAGS.fullmatch(value):
        raise ParameterProblem.of("If-Match", "invalid", 'Give the ETag of the object as it came: "3".', "header")
    return set(re.findall(_TAG, value))


def check_if_match(request: Request, version: int | None) -> None:
    """Raises PreconditionFailed unless the caller's version is the present one. Call it with the row locked."""
    tags = if_match(request)
    if tags is None or "*" in tags:
        return
    if version is None or etag(version) not in tags:
        raise PreconditionFailed()
