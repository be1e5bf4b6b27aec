"""Finding a patient at the front desk: every way to search, with few patients and with many, and the nightly look for
duplicates in the big practice.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from multiprocessing import get_context
from random import Random
from statistics import median
from typing import Any
from urllib.parse import urlencode

from tests.benchmarks import registry
from tests.benchmarks.compare import cpu_seconds
from tests.benchmarks.load import Figures, burst
from tests.benchmarks.place import Place, close, enter_django, say
from tests.benchmarks.report import publish
from tests.benchmarks.servers import OURS, Server, serving
from tests.benchmarks.traffic import Request, start_session

ASKED = 300
PAGE = 50
FLAT_TARGET = 1.3
PREFIX_MS, EXACT_MS = 10.0, 5.0
TITLES = {
    "prefix": ("three letters of a family name", PREFIX_MS),
    "prefix_alike": ("the same, as many a page as few have", PREFIX_MS),
    "prefixes": ("four letters of the family name, two of the given", PREFIX_MS),
    "prefixes_alike": ("the same, as many a page as few have", PREFIX_MS),
    "whole": ("whole name", PREFIX_MS),
    "name_born": ("three letters and birth date", PREFIX_MS),
    "name_phone": ("three letters and phone", PREFIX_MS),
    "born": ("birth date", EXACT_MS),
    "phone": ("phone", EXACT_MS),
    "email": ("email", EXACT_MS),
    "mrn": ("MRN", EXACT_MS),
    "identifier": ("identifier", EXACT_MS),
    "tag": ("tag (50 of 200)", EXACT_MS),
}
ALIKE = {"prefix": "prefix_alike", "prefixes": "prefixes_alike"}
"""Few patients don't fill a page, whose every row costs: only with as many rows do both say what searching costs."""
HEADINGS = ("searched for by", "few patients: p50 ms", "many: p50 ms", "ratio", "many: CPU ms", "target")
Searches = dict[str, list[Request]]
Rows = dict[str, list[int]]
"""Searched for by -> how many patients each answer holds."""


def search(sizes: Sequence[int], *, rounds: int, seconds: float, into_docs: bool) -> None:
    places = [registry.open_registry(patients) for patients in sizes]
    try:
        with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            of_few, rows = pool.apply(prepare, [sizes[0]])
            of_many, _ = pool.apply(prepare, [sizes[1], rows])
        enter_django(places[-1])
        _duplicates(places[-1], into_docs=into_docs)
        _measure(places, [of_few, of_many], rounds=rounds, seconds=seconds, into_docs=into_docs)
    finally:
        for place in places:
            close(place)


def prepare(patients: int, rows: Rows | None = None) -> tuple[Searches, Rows]:
    """In a process of its own, since one can enter only one data set: seeds it, and returns what to ask of it, and how
    many rows the answers have that `rows` is to say for the other data set.
    """
    place = registry.open_registry(patients)
    enter_django(place)
    registry.ensure(place, patients)
    from patients.models import ContactPoint, Patient, PatientIdentifier, Tag
    from practices.models import Practice
    from practices.tenancy import Actor, platform_scope, practice_scope

    by = Actor.system("bench")
    with platform_scope(actor=by):
        practice = Practice.objects.get(slug="registry-0")
    token, _ = start_session(practice.pk, practice.slug)
    with practice_scope(practice, actor=by):
        everybody = list(Patient.objects.exclude(birth_date=None).order_by("pk").values_list("pk", flat=True))
        chosen = Random("search").sample(everybody, min(ASKED, len(everybody)))  # noqa: S311  # no secrets
        people = list(Patient.objects.filter(pk__in=chosen))
        contacts = ContactPoint.objects.primary_of(everybody)
        phones = {pk: value for (pk, kind), value in contacts.items() if kind == "phone"}
        emails = [value for (_, kind), value in contacts.items() if kind == "email"]
        numbers = [row.value for row in PatientIdentifier.objects.order_by("pk")[:ASKED]]
        tag = str(Tag.objects.get().pk)

    def ask(**query: Any) -> Request:
        return Request("GET", f"/api/v1/patients?{urlencode(query)}", token)

    names = {
        "prefix": [each.family_name[:3] for each in people],
        "prefixes": [f"{each.family_name[:4]} {each.given_name[:2]}" for each in people],
    }
    if rows is None:
        with practice_scope(practice, actor=by):
            rows = {kind: [len(Patient.objects.search(each)[:PAGE]) for each in names[kind]] for kind in names}
    pages = {kind: zip(names[kind], cycle(rows[kind]), strict=False) for kind in names}
    searches = {
        **{kind: [ask(search=each) for each in names[kind]] for kind in names},
        **{alike: [ask(search=each, page_size=size) for each, size in pages[kind]] for kind, alike in ALIKE.items()},
        "whole": [ask(search=f"{each.given_name} {each.family_name}") for each in people],
        "name_born": [ask(search=each.family_name[:3], birth_date=each.birth_date) for each in people],
        "name_phone": [ask(search=each.family_name[:3], phone=phones[each.pk]) for each in people if each.pk in phones],
        "born": [ask(birth_date=each.birth_date) for each in people],
        "phone": [ask(phone=phones[each.pk]) for each in people if each.pk in phones],
        "email": [ask(email=each) for each in emails[:ASKED]],
        "mrn": [ask(mrn=each.mrn) for each in people],
        "identifier": [ask(identifier=each) for each in numbers],
        "tag": [ask(tag=tag)],
    }
    return searches, rows


@dataclass
class Found:
    """Milliseconds, a figure a round."""

    small: list[float] = field(default_factory=list)
    large: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def cells(self, target: float) -> tuple[str, ...]:
        before, after = median(self.small), median(self.large)
        ratio = after / before
        met = [("met" if ok else "MISSED") for ok in (after <= target, ratio <= FLAT_TARGET)]
        verdict = f"<= {target:.0f} ms {met[0]}, flat <= {FLAT_TARGET} {met[1]}"
        return f"{before:.1f}", f"{after:.1f}", f"{ratio:.2f}", f"{median(self.cpu):.1f}", verdict


def _measure(
    places: Sequence[Place], asked: Sequence[Searches], *, rounds: int, seconds: float, into_docs: bool
) -> None:
    small, large = places
    found = {name: Found() for name in TITLES}
    with serving([OURS], small, workers=1) as of_small, serving([OURS], large, workers=1) as of_large:
        for name in found:
            for server, requests in ((of_small["ours"], asked[0]), (of_large["ours"], asked[1])):
                burst(server.url, requests[name], seconds=2, connections=1)
        for _ in range(rounds):
            for name, answers in found.items():
                _burst(of_small["ours"], asked[0][name], seconds, answers.small, [])
                _burst(of_large["ours"], asked[1][name], seconds, answers.large, answers.cpu)
    lines = [(title, *found[name].cells(target)) for name, (title, target) in TITLES.items()]
    data = {name: asdict(each) for name, each in found.items()}
    publish(large, "search", HEADINGS, lines, data, into_docs=into_docs)


def _burst(server: Server, requests: Sequence[Request], seconds: float, p50: list[float], cpu: list[float]) -> None:
    before = cpu_seconds(server)
    figures = _valid(burst(server.url, requests, seconds=seconds, connections=1))
    p50.append(figures.p50_ms)
    cpu.append((cpu_seconds(server) - before) * 1000 / figures.requests)


def _valid(figures: Figures) -> Figures:
    if not figures.valid:
        raise SystemExit(f"bench: searches were refused: {figures}")
    return figures


def _duplicates(place: Place, *, into_docs: bool) -> None:
    """Precision and recall of everything that scores enough, however many people would be shown a night."""
    from patients.duplicate_search import likely_pairs
    from patients.models import Patient
    from practices.models import Practice
    from practices.tenancy import Actor, platform_scope, practice_scope

    by = Actor.system("bench")
    say("Looking for duplicates ...")
    with platform_scope(actor=by):
        practice = Practice.objects.get(slug="registry-0")
    with practice_scope(practice, actor=by):
        charts = Patient.objects.count()
        began, computed = time.monotonic(), time.process_time()
        pairs = likely_pairs(10**6)
        took, computed = time.monotonic() - began, time.process_time() - computed
        people = {pk: mrn.partition("-")[0] for pk, mrn in Patient.objects.values_list("pk", "mrn")}
    right = len([pair for pair in pairs if people[pair.first] == people[pair.second]])
    known = len(people) - len(set(people.values()))  # nobody is there three times
    line = (
        *(f"{charts:,}", f"{known:,}", f"{len(pairs):,}", f"{right / len(pairs):.3f}", f"{right / known:.3f}"),
        *(f"{took:.1f}", f"{computed:.1f}"),
    )
    headings = ("charts", "known pairs", "found", "precision", "recall", "seconds", "of these Python")
    publish(place, "duplicates", headings, [line], {"pairs": len(pairs), "right": right}, into_docs=into_docs)
