"""Amazon S3, or anything that speaks its protocol, through django-storages and boto3."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, Self

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage

from integrations.errors import RetryableVendorError, error_for_status
from integrations.storage import DEFAULT_EXPIRY, FileFacts, PresignedUpload, Readable, check_key

VENDOR = "s3"


class S3Files:
    def __init__(self, storage: S3Storage) -> None:
        self._storage = storage
        self._client: Any = storage.connection.meta.client
        self._bucket: str = storage.bucket_name

    @classmethod
    def from_settings(cls) -> Self:
        return cls(
            _storage(
                bucket=settings.S3_BUCKET,
                region=settings.S3_REGION,
                endpoint=settings.S3_ENDPOINT_URL,
                access_key=settings.S3_ACCESS_KEY_ID,
                secret_key=settings.S3_SECRET_ACCESS_KEY,
                timeout=settings.VENDOR_TIMEOUT_SECONDS,
            )
        )

    def presign_upload(
        self, key: str, *, content_type: str, max_bytes: int, expires_in: timedelta = DEFAULT_EXPIRY
    ) -> PresignedUpload:
        """No call is made: the form is signed here, and S3 enforces its conditions."""
        with _vendor_errors():
            form = self._client.generate_presigned_post(
                self._bucket,
                check_key(key),
                Fields={"Content-Type": content_type},
                Conditions=[{"Content-Type": content_type}, ["content-length-range", 1, max_bytes]],
                ExpiresIn=int(expires_in.total_seconds()),
            )
        return PresignedUpload(url=form["url"], fields=form["fields"])

    def presign_download(self, key: str, *, filename: str, expires_in: timedelta = DEFAULT_EXPIRY) -> str:
        disposition = content_disposition_header(True, _quotable(filename))
        with _vendor_errors():
            url: str = self._storage.url(
                check_key(key),
                parameters={"ResponseContentDisposition": disposition, "ResponseCacheControl": "no-store"},
                expire=int(expires_in.total_seconds()),
            )
        return url

    def save(self, key: str, content: Readable, *, content_type: str) -> None:
        with _vendor_errors():
            self._client.put_object(Bucket=self._bucket, Key=check_key(key), Body=content, ContentType=content_type)

    def read(self, key: str) -> bytes:
        with _vendor_errors(), self._client.get_object(Bucket=self._bucket, Key=check_key(key))["Body"] as body:
            content: bytes = body.read()
        return content

    def facts(self, key: str) -> FileFacts | None:
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=check_key(key))
        except ClientError as error:
            if _status(error) == 404:
                return None
            raise _translate(error) from None
        except BotoCoreError as error:
            raise RetryableVendorError(VENDOR, type(error).__name__) from None
        return FileFacts(size=head["ContentLength"], content_type=head["ContentType"])

    def keys(self, folder: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        with _vendor_errors():
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"{check_key(folder)}/"):
                yield from (each["Key"] for each in page.get("Contents", ()))

    def delete(self, key: str) -> None:
        with _vendor_errors():
            self._client.delete_object(Bucket=self._bucket, Key=check_key(key))


@lru_cache(maxsize=4)
def _storage(*, bucket: str, region: str, endpoint: str, access_key: str, secret_key: str, timeout: float) -> S3Storage:
    """Made once per configuration: a boto3 session costs some 100 ms. It keeps a connection per thread."""
    return S3Storage(
        bucket_name=bucket,
        region_name=region or None,
        endpoint_url=endpoint or None,
        access_key=access_key or None,  # None: boto3's own chain (instance role, environment)
        secret_key=secret_key or None,
        client_config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"mode": "standard", "total_max_attempts": 2},
        ),
    )


def _quotable(filename: str) -> str:
    """The name without what would end or split the header's quoted string."""
    return "".join(char for char in filename if char.isprintable() and char not in '"\\;')


@contextmanager
def _vendor_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _translate(error) from None
    except BotoCoreError as error:
        raise RetryableVendorError(VENDOR, type(error).__name__) from None


def _translate(error: ClientError) -> Exception:
    answer = error.response
    request_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
    return error_for_status(VENDOR, _status(error), code=answer.get("Error", {}).get("Code", ""), request_id=request_id)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
