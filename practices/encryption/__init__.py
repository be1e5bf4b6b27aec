"""Fields that the database, its backups and its operators see only encrypted."""

from practices.encryption.errors import (
    EncryptedValueMisplaced,
    EncryptedValueUnreadable,
    EncryptionError,
    KeysDestroyed,
    KeyUnreadable,
)
from practices.encryption.fields import BlindIndexField, Ciphertext, EncryptedTextField, blind_index, seal
from practices.encryption.keys import shred
from practices.encryption.personal import PersonalSecretField

__all__ = [
    "BlindIndexField",
    "Ciphertext",
    "EncryptedTextField",
    "EncryptedValueMisplaced",
    "EncryptedValueUnreadable",
    "EncryptionError",
    "KeyUnreadable",
    "KeysDestroyed",
    "PersonalSecretField",
    "blind_index",
    "seal",
    "shred",
]
