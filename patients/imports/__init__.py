"""Patients out of CSV files: read, checked and created in batches, so that no file is too long for the memory."""

from patients.imports.checking import Duplicates
from patients.imports.reading import ImportRefused, Mapping
from patients.imports.running import Mode, Options, Progress, run

__all__ = ["Duplicates", "ImportRefused", "Mapping", "Mode", "Options", "Progress", "run"]
