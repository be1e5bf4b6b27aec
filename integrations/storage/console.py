"""Files in a local folder, behind signed links that `views.py` serves. Development only: production refuses it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Self

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import timezone

from integrations.errors import PermanentVendorError
from integrations.storage import DEFAULT_EXPIRY, FileFacts, PresignedUpload, Readable, check_key

_SALT = "integrations.storage"


class LocalFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def from_settings(cls) -> Self:
        return cls(settings.STATE_DIR / "files")

    def presign_upload(
        self, key: str, *, content_type: str, max_bytes: int, expires_in: timedelta = DEFAULT_EXPIRY
    ) -> PresignedUpload:
        claims = {"do": "upload", "key": check_key(key), "type": content_type, "max": max_bytes}
        return PresignedUpload(url=_link(claims, expires_in))

    def presign_download(self, key: str, *, filename: str, expires_in: timedelta = DEFAULT_EXPIRY) -> str:
        return _link({"do": "download", "key": check_key(key), "name": filename}, expires_in)

    def save(self, key: str, content: Readable, *, content_type: str) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read())
        path.with_name(f"{path.name}~type").write_text(content_type)

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except FileNotFoundError:
            raise PermanentVendorError("console", "NoSuchKey") from None

    def read(self, key: str) -> bytes:
        with self.open(key) as file:
            return file.read()

    def facts(self, key: str) -> FileFacts | None:
        path = self._path(key)
        if not path.is_file():
            return None
        return FileFacts(size=path.stat().st_size, content_type=path.with_name(f"{path.name}~type").read_text())

    def keys(self, folder: str) -> Iterator[str]:
        path = self._path(folder)
        names = [each.name for each in path.iterdir()] if path.is_dir() else []
        return (f"{folder}/{name}" for name in names if not name.endswith("~type"))

    def delete(self, key: str) -> None:
        path = self._path(key)
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}~type").unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)


def _link(claims: dict[str, Any], expires_in: timedelta) -> str:
    expires = (timezone.now() + expires_in).timestamp()
    token = signing.dumps({**claims, "exp": expires}, salt=_SALT)
    base: str = settings.PUBLIC_URL
    return base.rstrip("/") + reverse("local-file", args=[token])


def read_link(token: str, *, purpose: str) -> dict[str, Any] | None:
    """What a link allows, or None when it is forged, for something else or too old."""
    try:
        claims: dict[str, Any] = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return None
    return claims if claims["do"] == purpose and claims["exp"] >= timezone.now().timestamp() else None
