import base64

from practices.models import Practice


def moved(secret: str, practice: Practice) -> str:
    """The secret with another practice's id in it, as somebody would forge it."""
    return base64.urlsafe_b64encode(practice.pk.bytes + base64.urlsafe_b64decode(secret)[16:]).decode()
