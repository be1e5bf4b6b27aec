from django.contrib.auth.hashers import Argon2PasswordHasher


class CheapArgon2(Argon2PasswordHasher):
    """As slow as one statement, for tests of many attempts."""

    time_cost, memory_cost, parallelism = 1, 4096, 1


CHEAP = ["tests.accounts.hashers.CheapArgon2"]
