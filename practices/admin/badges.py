from functools import cache

from django.template.loader import render_to_string
from django.utils.safestring import SafeString


@cache
def badge(text: str, colour: str) -> SafeString:
    """unfold's coloured label, for lists and forms alike; `colour` is one of its names. For few different texts."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})
