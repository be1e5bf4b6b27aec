"""What every vendor adapter raises, whatever its SDK raises underneath.

The text names the vendor, its error code and nothing else: SDK messages repeat phone numbers and addresses,
so adapters raise these `from None` and copy no message over.
"""


class VendorError(Exception):
    """A call to a vendor failed; `code` is the vendor's own error code or the HTTP status."""

    def __init__(self, vendor: str, code: str, *, request_id: str = "") -> None:
        super().__init__(vendor, code, request_id)
        self.vendor = vendor
        self.code = code
        self.request_id = request_id

    def __str__(self) -> str:
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.vendor} answered {self.code}{request}"


class PermanentVendorError(VendorError):
    """The same request will fail again: it, or the account, has to change."""


class RetryableVendorError(VendorError):
    """The same request may succeed later; `retry_after` is in seconds, None when the vendor doesn't say."""

    def __init__(self, vendor: str, code: str, *, request_id: str = "", retry_after: float | None = None) -> None:
        super().__init__(vendor, code, request_id=request_id)
        self.retry_after = retry_after


def error_for_status(
    vendor: str, status: int, *, code: str = "", request_id: str = "", retry_after: float | None = None
) -> VendorError:
    """The error for an HTTP status: 408, 425, 429 and 5xx may be tried again, anything else may not."""
    code = code or str(status)
    if status in {408, 425, 429} or status >= 500:
        return RetryableVendorError(vendor, code, request_id=request_id, retry_after=retry_after)
    return PermanentVendorError(vendor, code, request_id=request_id)
