"""A strict TypeScript client is generated from the contract and compiles (`tests/typescript/client.ts`)."""

import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from config.api.docs import openapi

SOURCES = Path(__file__).parent / "typescript"
TOOLS = [shutil.which(name) for name in ("node", "npm", "npx")]

pytestmark = [
    pytest.mark.machinery,
    pytest.mark.skipif(None in TOOLS, reason="needs Node.js and npm"),
]


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603  # our own commands
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def test_generated_client_compiles_strictly(tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", "tsconfig.json", "client.ts"):
        shutil.copy(SOURCES / name, tmp_path)
    (tmp_path / "openapi.json").write_bytes(orjson.dumps(openapi(), default=str))
    run(tmp_path, "npm", "ci", "--no-audit", "--no-fund")
    run(tmp_path, "npx", "openapi-typescript", "openapi.json", "--default-non-nullable=false", "-o", "schema.d.ts")
    run(tmp_path, "npx", "tsc", "-p", ".")
