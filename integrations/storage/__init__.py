"""Keeping files: what the product asks for, wherever the bytes are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, cast

from integrations.vendors import build

# `<practice id>/<folder>/<file id>`: ids only, a patient's name or an original file name never is a key.
_KEY = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+(\.[A-Za-z0-9]+)?)+")
DEFAULT_EXPIRY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedUpload:
    """A multipart form POST the browser makes itself: `fields` first, then the bytes as `file`."""

    url: str
    fields: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "PresignedUpload()"


@dataclass(frozen=True, slots=True)
class FileFacts:
    size: int
    content_type: str


class Readable(Protocol):
    """What an uploaded file, a file on disk and a buffer have in common."""

    def read(self, size: int = -1, /) -> bytes: ...


class FileStore(Protocol):
    """Every method refuses a malformed key with ValueError and raises VendorError when the vendor fails."""

    def presign_upload(
        self, key: str, *, content_type: str, max_bytes: int, expires_in: timedelta = DEFAULT_EXPIRY
    ) -> PresignedUpload:
        """A form with which exactly this key can be written, with this type and at most this size."""
        ...

    def presign_download(self, key: str, *, filename: str, expires_in: timedelta = DEFAULT_EXPIRY) -> str:
        """A link that downloads the file under `filename`."""
        ...

    def save(self, key: str, content: Readable, *, content_type: str) -> None: ...

    def read(self, key: str) -> bytes: ...

    def facts(self, key: str) -> FileFacts | None:
        """Size and type of what is there, None when nothing is."""
        ...

    def keys(self, folder: str) -> Iterator[str]:
        """Of all files there are in `<practice id>/<folder>`."""
        ...

    def delete(self, key: str) -> None:
        """Remove the file; nothing happens when it isn't there."""
        ...


def get_file_store() -> FileStore:
    return cast(FileStore, build("STORAGE_VENDOR"))


def check_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("A file's key is folders and a name of letters, digits, '-' and '_'.")
    return key
