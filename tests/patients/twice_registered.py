"""A practice's charts from a fixed seed, some of them a second time as front desks do it, and traps that look like it.

Names are drawn as often as they occur in the United States, so namesakes come by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from faker.providers.person.en_US import Provider

SECOND_TIME, TWINS, SAME_NAME, HOUSEHOLD = 0.05, 0.03, 0.02, 0.1
"""Shares of the people: registered again; with a twin; with a parent of the same name; with a relative at home."""


@dataclass(frozen=True)
class Chart:
    person: int
    given_name: str
    family_name: str
    birth_date: date | None
    sex: str
    phone: str
    email: str = ""
    number: str = ""


class Registry:
    """`charts(n)` gives those of about n people, those of one person with the same `person`."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)  # noqa: S311  # the same charts every time, no secrets
        self.people = 0
        self.given = {sex: _weighted(getattr(Provider, f"first_names_{sex}")) for sex in ("female", "male")}
        self.family = _weighted(Provider.last_names)

    def charts(self, people: int) -> Iterator[Chart]:
        while self.people < people:
            chart = self.somebody()
            yield chart
            for share, companion in self.companions():
                if self.random.random() < share:
                    yield companion(chart)

    def companions(self) -> list[tuple[float, Callable[[Chart], Chart]]]:
        return [
            *((SECOND_TIME, self.again), (TWINS, self.twin)),
            *((SAME_NAME, self.parent_of_the_same_name), (HOUSEHOLD, self.relative)),
        ]

    def somebody(self) -> Chart:
        self.people += 1
        sex = self.random.choice(("female", "male"))
        return Chart(
            person=self.people,
            given_name=self.drawn(self.given[sex]),
            family_name=self.drawn(self.family),
            birth_date=date(1930, 1, 1) + timedelta(days=self.random.randrange(34_000)),
            sex=sex,
            phone=self.new_phone(),
            email=f"person{self.people}@example.test" if self.random.random() < 0.7 else "",
            number=f"{self.random.randrange(10**9):09}" if self.random.random() < 0.4 else "",
        )

    def drawn(self, names: tuple[list[str], list[float]]) -> str:
        return self.random.choices(names[0], cum_weights=names[1])[0]

    def new_phone(self) -> str:
        return f"+1212{self.random.randrange(2_000_000, 9_999_999)}"

    # --- The same person ----------------------------------------------------------------------------

    def again(self, chart: Chart) -> Chart:
        """One mistake or two, and a contact point or number that wasn't asked for."""
        mistakes = self.random.sample(self.mistakes(), self.random.choice((1, 1, 1, 2)))
        for mistake in mistakes:
            chart = mistake(chart)
        left_out = {name: "" for name in ("email", "number") if self.random.random() < 0.5}
        return replace(chart, **left_out)  # type: ignore[arg-type]  # names of text fields

    def mistakes(self) -> list[Callable[[Chart], Chart]]:
        return [
            lambda chart: replace(chart, given_name=self.mistyped(chart.given_name)),
            lambda chart: replace(chart, family_name=self.mistyped(chart.family_name)),
            lambda chart: replace(chart, given_name=chart.family_name, family_name=chart.given_name),
            lambda chart: replace(chart, family_name=self.drawn(self.family)),
            lambda chart: replace(chart, family_name=f"{chart.family_name}-{self.drawn(self.family)}"),
            lambda chart: replace(chart, given_name=chart.given_name[:4]),
            lambda chart: replace(chart, birth_date=chart.birth_date and self.other_day(chart.birth_date)),
            lambda chart: replace(chart, birth_date=None),
            lambda chart: replace(chart, phone=self.new_phone()),
            lambda chart: replace(chart, phone=self.new_phone(), email=""),
            lambda chart: replace(chart, sex="unknown"),
        ]

    def mistyped(self, name: str) -> str:
        """A letter left out, doubled, replaced, or exchanged with its neighbour; never the first."""
        at = self.random.randrange(1, max(2, len(name)))
        before, letter, after = name[:at], name[at : at + 1], name[at + 1 :]
        letters = (after[:1] + letter + after[1:], after, letter + letter + after, "e" + after)
        return before + self.random.choice(letters)

    def other_day(self, day: date) -> date:
        if day.day <= 12 and self.random.random() < 0.5:
            return day.replace(month=day.day, day=day.month)
        return day.replace(day=day.day + (1 if day.day < 28 else -1))

    # --- Somebody else ------------------------------------------------------------------------------

    def twin(self, chart: Chart) -> Chart:
        other = self.somebody()
        return replace(
            other, family_name=chart.family_name, birth_date=chart.birth_date, phone=chart.phone, email=chart.email
        )

    def parent_of_the_same_name(self, chart: Chart) -> Chart:
        born = chart.birth_date and chart.birth_date - timedelta(days=self.random.randrange(8_000, 14_000))
        names = {"given_name": chart.given_name, "family_name": chart.family_name}
        return replace(self.somebody(), **names, birth_date=born, sex=chart.sex, phone=chart.phone)  # type: ignore[arg-type]  # text fields

    def relative(self, chart: Chart) -> Chart:
        return replace(self.somebody(), family_name=chart.family_name, phone=chart.phone, email=chart.email)


def _weighted(names: dict[str, float]) -> tuple[list[str], list[float]]:
    total, cumulated = 0.0, []
    for weight in names.values():
        total += weight
        cumulated.append(total)
    return list(names), cumulated
