"""What S3 does with a presigned form or link, for the local folder. The signed token is the permission."""

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from integrations.storage.console import LocalFiles, read_link


@csrf_exempt
@require_http_methods(["GET", "POST"])
def local_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """Download or upload one file; 404 unless this installation keeps files locally."""
    if settings.STORAGE_VENDOR != "console":
        return HttpResponse(status=404)
    return _upload(request, token) if request.method == "POST" else _download(token)


def _download(token: str) -> HttpResponseBase:
    claims = read_link(token, purpose="download")
    if claims is None:
        return HttpResponse(status=403)
    files = LocalFiles.from_settings()
    facts = files.facts(claims["key"])
    if facts is None:
        return HttpResponse(status=404)
    return FileResponse(
        files.open(claims["key"]),
        as_attachment=True,
        filename=claims["name"],
        content_type=facts.content_type,
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


def _upload(request: HttpRequest, token: str) -> HttpResponse:
    claims = read_link(token, purpose="upload")
    if claims is None:
        return HttpResponse(status=403)
    upload = request.FILES.get("file")
    if upload is None or not upload.size or upload.size > claims["max"]:
        return HttpResponse(status=400)
    LocalFiles.from_settings().save(claims["key"], upload, content_type=claims["type"])
    return HttpResponse(status=204)
