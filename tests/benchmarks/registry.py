"""Five practices with equally many patients for the search benchmark: people of tests/patients/twice_registered.py.

Those of the first are made through the models' own fields, the others' are copies of them: same names, dates and sizes,
but values that only the first practice can read. So only the first is asked.
"""

import json
from typing import Any
from uuid import UUID

from rich.progress import track

from tests.benchmarks.dataset import Rows, column_values, copy
from tests.benchmarks.place import Place, open_folder, say
from tests.benchmarks.traffic import LOGIN
from tests.patients.twice_registered import Chart, Registry

PRACTICES = 5
BATCH = 5000
TAGGED = 200
"""Patients with the tag that is asked for."""
TABLES = (
    *("patients_tag", "patients_patient", "patients_patientname"),
    *("patients_contactpoint", "patients_patientidentifier", "patients_patienttag"),
)
OF_ROWS = ("id", "patient_id", "tag_id")


def open_registry(patients: int) -> Place:
    return open_folder(f"registry-{patients}")


def ensure(place: Place, patients: int) -> None:
    """Seeds unless it is there already. `enter_django` comes first."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    marker = place.folder / "seeded.json"
    if marker.exists():
        return
    say(f"Seeding {PRACTICES} practices with {patients:,} patients; the next run uses them again ...")
    first, *others = [_open_practice(number) for number in range(PRACTICES)]
    with place.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        _fill(connection, first, patients // PRACTICES)
        for practice_id in track(others, "Practices"):
            for table in TABLES:
                _copy_to(connection, table, first, practice_id)
        connection.execute("VACUUM ANALYZE")
    marker.write_text(json.dumps({"patients": patients}))


def _open_practice(number: int) -> UUID:
    from accounts.models import Membership, User
    from practices.services import create_practice
    from practices.tenancy import Actor, practice_scope

    by = Actor.system("bench")
    known = {"time_zone": "America/New_York", "locale": "en-US"}
    practice = create_practice(by=by, slug=f"registry-{number}", name=f"Registry {number}", **known)
    with practice_scope(practice, actor=by):
        user = User.objects.create_user(f"{LOGIN}@{practice.slug}.test", None, name=LOGIN)
        Membership.objects.create(user=user, roles=["front_desk"])
    return practice.pk


def _fill(connection: Any, practice_id: UUID, patients: int) -> None:
    from patients.models import Tag
    from practices.tenancy import Actor, practice_scope

    with practice_scope(practice_id, actor=Actor.system("bench")):
        tag = Tag(practice_id=practice_id, name="Recall")
        rows = {**_none(), "patients_tag": [column_values(tag)]}
        charts = Registry("bench").charts(patients)
        for number, chart in enumerate(track(charts, "Patients", total=patients)):
            _add(rows, practice_id, chart, number, tag if number % (patients // TAGGED) == 0 else None)
            if number % BATCH == BATCH - 1:
                copy(connection, practice_id, rows)
                rows = _none()
        copy(connection, practice_id, rows)


def _none() -> Rows:
    return {name: [] for name in TABLES}


def _add(rows: Rows, practice_id: UUID, chart: Chart, number: int, tag: Any) -> None:
    """Their MRN begins with the person's number, which says who was registered twice."""
    from patients.models import ContactPoint, Patient, PatientIdentifier, PatientName, PatientTag

    names = {"given_name": chart.given_name, "family_name": chart.family_name}
    patient = Patient(practice_id=practice_id, mrn=f"{chart.person:07}-{number}", sex=chart.sex, **names)
    patient.birth_date = chart.birth_date
    patient.prepare()
    rows["patients_patient"].append(column_values(patient))
    rows["patients_patientname"] += [column_values(word) for word in PatientName.of(patient)]
    here = {"practice_id": practice_id, "patient_id": patient.pk}
    for kind in ("phone", "email"):
        if value := getattr(chart, kind):
            rows["patients_contactpoint"].append(column_values(ContactPoint(**here, kind=kind, value=value)))
    if chart.number:
        rows["patients_patientidentifier"].append(
            column_values(PatientIdentifier(**here, type="SS", value=chart.number))
        )
    if tag is not None:
        rows["patients_patienttag"].append(column_values(PatientTag(**here, tag_id=tag.pk)))


def _copy_to(connection: Any, table: str, source: UUID, target: UUID) -> None:
    """Every row with ids that follow from the copied ones, so that keys between them hold."""
    found = connection.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
    names = [row[0] for row in found.fetchall()]
    values = {
        **{name: f'md5("{name}"::text || %(target)s)::uuid' for name in OF_ROWS},
        "practice_id": "%(target)s::uuid",
    }
    columns, selected = (
        ", ".join(each) for each in ([f'"{n}"' for n in names], [values.get(n, f'"{n}"') for n in names])
    )
    connection.execute(
        f"INSERT INTO {table} ({columns}) SELECT {selected} FROM {table} WHERE practice_id = %(source)s",
        {"source": source, "target": str(target)},
    )
