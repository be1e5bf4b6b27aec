"""What may be shown of an address where its whole must not be."""


def mask_email(address: str) -> str:
    """`a***@example.test`: the first letter and the domain."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def mask_phone(number: str) -> str:
    """`***34`: the last two digits."""
    return f"***{number[-2:]}"
