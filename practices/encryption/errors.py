"""What goes wrong with encrypted fields. No message carries a value, a key or where either lies."""


class EncryptionError(RuntimeError):
    """Anything below."""


class EncryptedValueMisplaced(EncryptionError):
    """The ciphertext was written for another practice or owner, table, column or row."""

    def __init__(self) -> None:
        super().__init__("This encrypted value was written for another place: it was moved, and is refused.")


class EncryptedValueUnreadable(EncryptionError):
    """No key opens it: it was altered, or its practice's key was destroyed."""

    def __init__(self) -> None:
        super().__init__("This encrypted value can't be opened: it was altered, or its key was destroyed.")


class KeyUnreadable(EncryptionError):
    """No key of FIELD_ENCRYPTION_KEYS opens the practice's own keys."""

    def __init__(self) -> None:
        super().__init__(
            "None of FIELD_ENCRYPTION_KEYS opens this practice's keys: put back the key that they were written with."
        )


class KeysDestroyed(EncryptionError):
    """The practice's keys were destroyed for good; nothing can be read or written with them."""

    def __init__(self) -> None:
        super().__init__("This practice's encryption keys were destroyed.")
