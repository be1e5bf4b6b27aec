"""What a file really is: a name and a header say anything."""

import puremagic

ALLOWED = ("application/pdf", "image/jpeg", "image/png", "image/tiff", "image/webp")
"""What may be kept. Nothing here runs in a browser, as HTML and SVG do."""


def content_type_of(content: bytes) -> str:
    """Of the bytes themselves; "" when they are of no kind that is known."""
    try:
        return str(puremagic.from_string(content, mime=True))
    except (puremagic.PureError, ValueError):
        return ""
