"""The installer, as far as it goes without a package index."""

import hashlib
from pathlib import Path

import pytest

from tests.platform.conftest import PROJECT, Run

INSTALL = "config/install.py"

pytestmark = pytest.mark.machinery


def installed(venv: Path) -> None:
    """What a finished installation leaves behind."""
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to("/bin/true")
    requirements = (PROJECT / "requirements.txt").read_bytes()
    (venv / "installed.run").write_text(hashlib.sha256(requirements).hexdigest())


def test_second_run_does_nothing(run: Run, tmp_path: Path) -> None:
    installed(tmp_path)
    done = run(INSTALL, "run", VENV=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "installed.run"]


def test_folder_that_cannot_be_written_says_the_cure(run: Run) -> None:
    done = run(INSTALL, "run", VENV="/proc/nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "set VENV to a folder you own" in done.stderr


def test_python_without_venv_says_the_cure(run: Run, tmp_path: Path) -> None:
    (tmp_path / "venv.py").write_text("raise SystemExit('No module named ensurepip')")
    done = run(INSTALL, "run", VENV=str(tmp_path / "new"), PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "install Python's venv module (Debian: python3-venv)" in done.stderr
