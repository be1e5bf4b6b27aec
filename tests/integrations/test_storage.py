import base64
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import httpx
import pytest
from django.test import Client
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from integrations.errors import PermanentVendorError, RetryableVendorError
from integrations.storage import FileFacts, get_file_store

KEY = "0198c0de/documents/0198c0df.pdf"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(settings: Settings, moto: str) -> str:
    settings.STORAGE_VENDOR = "s3"
    settings.S3_BUCKET = "practice-files"
    settings.S3_REGION = "us-east-1"
    settings.S3_ENDPOINT_URL = moto
    settings.S3_ACCESS_KEY_ID = "AKIATEST"
    settings.S3_SECRET_ACCESS_KEY = "secret"
    client = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=moto, aws_access_key_id="AKIATEST", aws_secret_access_key="secret"
    )
    client.create_bucket(Bucket="practice-files")
    return "practice-files"


@pytest.fixture
def local(settings: Settings, tmp_path: Path) -> Path:
    settings.STORAGE_VENDOR = "console"
    settings.STATE_DIR = tmp_path
    settings.PUBLIC_URL = "http://testserver"
    return tmp_path


@pytest.mark.parametrize("vendor", ["bucket", "local"])
def test_file_saved_is_read_and_deleted(vendor: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(vendor)
    store = get_file_store()
    store.save(KEY, io.BytesIO(b"%PDF"), content_type="application/pdf")
    assert store.facts(KEY) == FileFacts(size=4, content_type="application/pdf")
    assert store.read(KEY) == b"%PDF"
    assert list(store.keys("0198c0de/documents")) == [KEY]
    assert list(store.keys("0198c0de/uploads")) == []
    store.delete(KEY)
    store.delete(KEY)
    assert store.facts(KEY) is None
    with pytest.raises(PermanentVendorError, match="NoSuchKey"):
        store.read(KEY)


@pytest.mark.parametrize("key", ["", "alone", "/a/b", "a/../b", "a/b/", "a b/c", "a/.hidden"])
@pytest.mark.parametrize("vendor", ["bucket", "local"])
def test_malformed_key_is_refused(vendor: str, key: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(vendor)
    with pytest.raises(ValueError, match="file's key"):
        get_file_store().presign_download(key, filename="x.pdf")


def test_s3_presigned_form_and_link_carry_a_file(bucket: str) -> None:
    store = get_file_store()
    form = store.presign_upload(KEY, content_type="application/pdf", max_bytes=100)
    answer = httpx.post(form.url, data=form.fields, files={"file": ("any.pdf", b"%PDF-1.7", "application/pdf")})
    assert answer.status_code == 204
    assert store.facts(KEY) == FileFacts(size=8, content_type="application/pdf")
    download = httpx.get(store.presign_download(KEY, filename='Ada "A" report.pdf'))
    assert download.content == b"%PDF-1.7"
    assert download.headers["content-disposition"] == 'attachment; filename="Ada A report.pdf"'
    foreign = httpx.get(store.presign_download(KEY, filename="Łoś\r\n.pdf"))
    assert foreign.headers["content-disposition"] == "attachment; filename*=utf-8''%C5%81o%C5%9B.pdf"


def test_s3_presigned_form_limits_key_type_and_size(bucket: str) -> None:
    fields = get_file_store().presign_upload(KEY, content_type="application/pdf", max_bytes=100).fields
    assert fields["key"] == KEY
    assert fields["Content-Type"] == "application/pdf"
    policy = base64.b64decode(fields["policy"]).decode()
    assert '["content-length-range", 1, 100]' in policy


def test_s3_missing_bucket_is_permanent(bucket: str, settings: Settings) -> None:
    settings.S3_BUCKET = "elsewhere"
    with pytest.raises(PermanentVendorError, match="NoSuchBucket"):
        get_file_store().save(KEY, io.BytesIO(b"x"), content_type="text/plain")


def test_s3_unreachable_is_retryable(bucket: str, settings: Settings) -> None:
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:1"
    settings.VENDOR_TIMEOUT_SECONDS = 0.5
    with pytest.raises(RetryableVendorError, match="EndpointConnectionError"):
        get_file_store().read(KEY)
    with pytest.raises(RetryableVendorError, match="EndpointConnectionError"):
        get_file_store().facts(KEY)


def upload(client: Client, url: str, content: bytes) -> int:
    file = io.BytesIO(content)
    file.name = "any.pdf"
    return client.post(url.removeprefix("http://testserver"), {"file": file}).status_code


def test_local_presigned_form_and_link_carry_a_file(local: Path, client: Client) -> None:
    store = get_file_store()
    assert upload(client, store.presign_upload(KEY, content_type="application/pdf", max_bytes=9).url, b"%PDF") == 204
    answer = client.get(store.presign_download(KEY, filename="report.pdf"))
    assert answer.getvalue() == b"%PDF"
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'attachment; filename="report.pdf"'
    assert answer["Cache-Control"] == "no-store"


def test_local_form_refuses_too_much_nothing_and_the_wrong_link(local: Path, client: Client) -> None:
    store = get_file_store()
    form = store.presign_upload(KEY, content_type="application/pdf", max_bytes=3)
    assert upload(client, form.url, b"%PDF") == 400
    assert upload(client, form.url, b"") == 400
    assert upload(client, store.presign_download(KEY, filename="x.pdf"), b"x") == 403
    assert store.facts(KEY) is None


def test_local_link_expired_forged_or_empty_is_refused(local: Path, client: Client) -> None:
    store = get_file_store()
    expired = store.presign_download(KEY, filename="x.pdf", expires_in=timedelta(seconds=-1))
    assert client.get(expired).status_code == 403
    assert client.get("/files/forged").status_code == 403
    assert client.get(store.presign_download(KEY, filename="x.pdf")).status_code == 404


def test_local_links_are_dead_when_another_vendor_keeps_the_files(
    local: Path, client: Client, settings: Settings
) -> None:
    link = get_file_store().presign_download(KEY, filename="x.pdf")
    settings.STORAGE_VENDOR = "s3"
    assert client.get(link).status_code == 404
