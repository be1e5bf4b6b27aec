"""Which patients are meant: by word of a name, and who may see them."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import BooleanField, F, Func
from django.db.models.lookups import Exact, GreaterThanOrEqual, LessThan
from django.db.models.sql.where import AND

from config.api.conditions import where
from patients import access
from patients.names import LAST_CHARACTER, START_LENGTH, WORD_LENGTH, words
from practices.querysets import TenantManager, TenantQuerySet
from practices.tenancy import Actor, active_practice_id

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

    from patients.models import ContactPoint, Patient, PatientIdentifier, PatientName  # noqa: F401  # the bases below name them

NAME_FIELDS = ("given_name", "family_name", "preferred_name")
LIST_ORDER = ("sort_name", "id")
MAX_TERMS = 8
"""Nobody searches for nine words of a name."""


class _Found(Func):
    """Whether, for each term, some word of the patient's names begins with it.

    `x = ANY(array)`: the array is found first, whatever the planner thinks. Left a choice, it walks through all
    patients in the list's order, which takes seconds when those who match come last in it.
    """

    output_field = BooleanField()

    def __init__(self, patient: F, terms: Sequence[str] = ()) -> None:
        super().__init__(patient)
        self.terms = terms

    def as_sql(  # type: ignore[override]  # nothing of it can be set from outside
        self, compiler: "SQLCompiler", connection: "BaseDatabaseWrapper"
    ) -> tuple[str, Any]:
        patient, params = compiler.compile(self.source_expressions[0])
        found = " INTERSECT ".join(
            ["SELECT patient_id FROM patients_patientname WHERE practice_id = %s AND word >= %s AND word < %s"]
            * len(self.terms)
        )
        practice_id = active_practice_id()
        ranges = (value for term in self.terms for value in (practice_id, term, term + LAST_CHARACTER))
        return f"{patient} = ANY(ARRAY({found}))", [*params, *ranges]


class _HasWords(Func):
    """Whether, for each term, some word of the patient's names begins with it.

    Asked of a row of the index `patient_name_listed`, which answers it but for patients with more words than are in
    `sort_name`: theirs are looked up one patient at a time.
    """

    output_field = BooleanField()

    def __init__(self, sort_name: Any, more_words: Any, patient: Any, terms: Sequence[str] = ()) -> None:
        super().__init__(sort_name, more_words, patient)
        self.terms = terms

    def as_sql(  # type: ignore[override]  # nothing of it can be set from outside
        self, compiler: "SQLCompiler", connection: "BaseDatabaseWrapper"
    ) -> tuple[str, Any]:
        sort_name, more_words, patient = (compiler.compile(each)[0] for each in self.source_expressions)
        one = f"(' ' || {sort_name} LIKE %s OR {more_words} AND patients_has_word(%s, {patient}, %s, %s))"
        practice_id = active_practice_id()
        params = [[f"% {term}%", practice_id, term, term + LAST_CHARACTER] for term in self.terms]
        return " AND ".join([one] * len(self.terms)), [value for each in params for value in each]


def _list_by_name(found: "PatientQuerySet", terms: Sequence[str]) -> None:
    """Narrows it to those with a word that is listed under the start of the first term, and beside it the others.

    Straight on the query: the same by `filter`, `annotate` and `distinct` takes as long as reading the page.
    """
    query, words_of = found.query, found.model._meta.get_field("name_words").related_model._meta
    alias = query.setup_joins(["name_words"], query.get_meta(), query.get_initial_alias()).joins[-1]
    query.demote_joins([alias])  # to an inner one
    column = {each.attname: each.get_col(alias) for each in words_of.concrete_fields}
    own = found.model._meta.get_field("practice").get_col(query.get_initial_alias())
    query.where.add(Exact(column["practice_id"], own), AND)  # a second parameter would hide that it is the same
    start = terms[0][:START_LENGTH]
    if len(start) == START_LENGTH:
        query.where.add(Exact(column["start"], start), AND)
    else:  # a range over a COLLATE "C" column: LIKE is not leakproof, so under a row policy it would use no index
        query.where.add(GreaterThanOrEqual(column["start"], start), AND)
        query.where.add(LessThan(column["start"], start + LAST_CHARACTER), AND)
    if others := terms[1:] if len(terms[0]) <= START_LENGTH else terms:
        beside = (column["sort_name"], column["more_words"], column["patient_id"])
        query.where.add(Exact(_HasWords(*beside, others), True), AND)
    query.add_annotation(column["sort_name"], "listed_as")
    query.add_annotation(column["patient_id"], "listed_id")
    query.distinct = True


class PatientQuerySet(TenantQuerySet["Patient"]):
    def visible_to(self, actor: Actor) -> "PatientQuerySet":
        """Restricted charts for who sees each one, or was let into it: `patients.access`. Erased ones for nobody."""
        return where(access.narrow(self, actor), ("erased_at", "isnull", True))

    def search(self, text: str) -> "PatientQuerySet":
        """Patients of whom, for every word of `text`, some word of a name begins with it; accents and case aside.

        Sorted by name, which has to be said before: an index has those with words that start like the longest one in
        this order, so that a page of them is read without the rest, however many there are.
        """
        terms = sorted({word[:WORD_LENGTH] for word in words(text)}, key=lambda word: (-len(word), word))
        if not 0 < len(terms) <= MAX_TERMS:
            return self.none()
        order = [str(term).lstrip("-") for term in self.query.order_by or self.model._meta.ordering or ()]
        return self._listed(terms) if order in (["sort_name"], [*LIST_ORDER]) else self.filter(_Found(F("pk"), terms))

    def _listed(self, terms: Sequence[str]) -> "PatientQuerySet":
        found = self.all()
        _list_by_name(found, terms)
        by_name = tuple(self.query.order_by or self.model._meta.ordering or ()) == LIST_ORDER
        return found.order_by(*found.equal_order[LIST_ORDER]) if by_name else found

    @property
    def equal_order(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        """Columns that a list is sorted by -> those of the words that were searched for, with the same values."""
        return {LIST_ORDER: ("listed_as", "listed_id")} if "listed_as" in self.query.annotations else {}

    def count(self) -> int:
        """One that is found by two words counts once, which is seen from the id."""
        rows: Any = self.values("pk") if self.query.distinct else self
        return int(TenantQuerySet.count(rows))

    def of_mrn(self, text: str) -> "PatientQuerySet":
        """Whose number it is as written, in capitals (as ours are) or in small letters; the unique index has each."""
        return self.filter(mrn__in={text, text.upper(), text.lower()})

    def update(self, **kwargs: Any) -> int:
        if changed := set(NAME_FIELDS).intersection(kwargs):
            raise ValueError(f"{sorted(changed)}: save() the patients instead, which keeps the searchable words.")
        return super().update(**kwargs)

    update.alters_data = True  # type: ignore[attr-defined]  # Django's mark that templates may not call it

    def bulk_create(self, objs: Iterable["Patient"], *args: Any, **kwargs: Any) -> list["Patient"]:
        """Two statements, or two a batch: the patients and their searchable words."""
        from patients.models import PatientName

        objs = list(objs)
        for patient in objs:
            patient.prepare()
        with transaction.atomic(using=self.db):
            created = super().bulk_create(objs, *args, **kwargs)
            PatientName.objects.bulk_create(
                [row for patient in created for row in PatientName.of(patient)], batch_size=kwargs.get("batch_size")
            )
        return created


class PatientNameQuerySet(TenantQuerySet["PatientName"]):
    def keep(self, patient: "Patient") -> None:
        """Makes the words those of the patient's names now. One query, two or three when they changed."""
        wanted = {row.word: row for row in self.model.of(patient)}
        present = set(self.filter(patient=patient).values_list("word", flat=True))
        if gone := present - wanted.keys():
            self.filter(patient=patient, word__in=gone).delete()
        if missing := [row for word, row in wanted.items() if word not in present]:
            self.bulk_create(missing)


class ContactPointQuerySet(TenantQuerySet["ContactPoint"]):
    def of_value(self, value: str) -> "ContactPointQuerySet":
        """Those with exactly this normalised number or address."""
        return self.filter(value_index=self.model._meta.get_field("value_index").index_of(value))

    def primary_of(self, patients: Collection[UUID]) -> dict[tuple[UUID, str], str]:
        """(patient, kind) -> the value of the first contact point in use; one query."""
        rows: Iterable[tuple[UUID, UUID, str, Any]] = (
            self.filter(patient_id__in=patients)
            .exclude(use="old")
            .order_by("patient_id", "kind", "rank", "id")
            .distinct("patient_id", "kind")
            .values_list("pk", "patient_id", "kind", "value")
        )
        return {(patient_id, kind): value.reveal(pk) for pk, patient_id, kind, value in rows if value}


def primary_contacts_sql(patient: str) -> str:
    """`primary_of` as a subquery: `{kind: [id, ciphertext]}` of the row of `patients_patient` that is called so."""
    first_of_each_kind = (
        "SELECT DISTINCT ON (kind) kind, id, value FROM patients_contactpoint"  # noqa: S608  # constant text
        f" WHERE practice_id = {patient}.practice_id AND patient_id = {patient}.id AND use <> 'old'"
        " ORDER BY kind, rank, id"
    )
    return f"(SELECT json_object_agg(c.kind, json_build_array(c.id, c.value)) FROM ({first_of_each_kind}) AS c)"  # noqa: S608  # as above


class PatientIdentifierQuerySet(TenantQuerySet["PatientIdentifier"]):
    def of_value(self, value: str) -> "PatientIdentifierQuerySet":
        """Those with this number, however it is separated, whatever their type."""
        index = self.model._meta.get_field("value_index").index_of(value)
        return self.filter(value_index=index) if index else self.none()


class PatientManager(TenantManager.from_queryset(PatientQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Patients of the active practice."""


class PatientNameManager(TenantManager.from_queryset(PatientNameQuerySet)):  # type: ignore[misc]  # as above
    """Words of names in the active practice."""


class ContactPointManager(TenantManager.from_queryset(ContactPointQuerySet)):  # type: ignore[misc]  # as above
    """Contact points of the active practice."""


class PatientIdentifierManager(TenantManager.from_queryset(PatientIdentifierQuerySet)):  # type: ignore[misc]  # as above
    """Identifiers in the active practice."""
