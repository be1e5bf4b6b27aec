from django.contrib.auth import hashers

from config.cores import on_all


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    """On all cores: it works outside Python, on threads of its own, for as long as a hundred requests."""

    def encode(self, password: str, salt: str) -> str:
        with on_all():
            encoded: str = super().encode(password, salt)
            return encoded

    def verify(self, password: str, encoded: str) -> bool:
        with on_all():
            return bool(super().verify(password, encoded))
