from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from config.api.rows import fetch
from patients.management.commands.import_patients import practice_called
from patients.models import Patient
from patients.serializers.patients import PatientSerializer
from patients.signals import patient_data_exported
from patients.table import write
from practices.tenancy import Actor, practice_scope

ACTOR = Actor.system("export_patients")
PAGE = 1000


class Command(BaseCommand):
    help = "Writes a practice's patients as CSV to standard output, in the form that import_patients takes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--practice", metavar="SLUG", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        practice_id, last = practice_called(options["practice"]).pk, UUID(int=0)
        out: Any = self.stdout
        out.ending = ""  # rows end by themselves
        headings = True
        while True:
            with practice_scope(practice_id, actor=ACTOR):
                page = Patient.objects.visible_to(ACTOR).exclude(status=Patient.Status.MERGED).filter(pk__gt=last)
                rows, _ = fetch(page.order_by("pk")[:PAGE], PatientSerializer)
                patient_data_exported.send(Patient, patient_ids=[UUID(row["id"]) for row in rows])
            write(out, rows, headings=headings)
            if len(rows) < PAGE:
                return
            headings, last = False, UUID(rows[-1]["id"])
