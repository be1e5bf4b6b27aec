"""`make check`: everything that can be judged without running the tests. Runs all, then says which failed."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.fernet import Fernet

PROJECT = Path(__file__).resolve().parent.parent
CONTRACT = PROJECT / "openapi.yaml"
PYTHON = sys.executable
BIN = Path(sys.executable).parent


def production_environment() -> dict[str, str]:
    """What a deployment would set, on top of the service addresses that are already in the environment."""
    vendors = {"EMAIL_VENDOR": "sendgrid", "SMS_VENDOR": "twilio", "PAYMENTS_VENDOR": "stripe", "STORAGE_VENDOR": "s3"}
    return {
        **vendors,
        "ENVIRONMENT": "production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "JWT_SIGNING_KEY": secrets.token_urlsafe(64),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "AUDIT_HASH_KEYS": Fernet.generate_key().decode(),
        "AUDIT_SIGNING_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "practice.example.test",
        "PUBLIC_URL": "https://practice.example.test",
        "DEFAULT_FROM_EMAIL": "practice@practice.example.test",
        "SENDGRID_API_KEY": "SG.for-the-check",
        "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
        "TWILIO_AUTH_TOKEN": "for-the-check",
        "TWILIO_FROM": "+15005550006",
        "STRIPE_SECRET_KEY": "sk_live_for_the_check",
        "STRIPE_WEBHOOK_SECRET": "whsec_for_the_check",
        "S3_BUCKET": "for-the-check",
        "S3_REGION": "eu-central-1",
        "S3_ACCESS_KEY_ID": "for-the-check",
        "S3_SECRET_ACCESS_KEY": "for-the-check",
    }


def contract_command(written: Path) -> list[str]:
    return [PYTHON, "manage.py", "spectacular", "--file", str(written), "--fail-on-warn", "--validate"]


def run(name: str, command: list[str], extra: dict[str, str] | None = None) -> bool:
    """Run one check, showing what it says only when it fails."""
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603  # our own commands
        command, cwd=PROJECT, env={**os.environ, **(extra or {})}, capture_output=True, text=True, check=False
    )
    passed = done.returncode == 0
    sys.stdout.write(f"{'ok    ' if passed else 'FAILED'} {name} ({time.monotonic() - started:.1f} s)\n")
    if not passed:
        sys.stdout.write(f"{done.stdout}{done.stderr}\n")
    sys.stdout.flush()
    return passed


def contract_is_current() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "openapi.yaml"
        if not run("contract without warnings", contract_command(written)):
            return False
        current = CONTRACT.exists() and CONTRACT.read_bytes() == written.read_bytes()
    sys.stdout.write(
        "ok     contract as committed\n" if current else "FAILED openapi.yaml is old: run `make schema`.\n"
    )
    return current


def main() -> int:
    results = [
        run("ruff", [str(BIN / "ruff"), "check", "."]),
        run("ruff format", [str(BIN / "ruff"), "format", "--check", "."]),
        run("mypy --strict", [PYTHON, "-m", "mypy", "."]),
        run("import order", [str(BIN / "lint-imports")]),
        run("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"]),
        run(
            "check --deploy",
            [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
            production_environment(),
        ),
        contract_is_current(),
    ]
    failed = results.count(False)
    sys.stdout.write(f"{failed} of the checks failed.\n" if failed else "All checks passed.\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
