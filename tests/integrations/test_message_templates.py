from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection

from integrations.messages.text import PLACEHOLDERS, fill, local_start, one_line, validate_placeholders
from integrations.models import MessageChannel, MessageKind, MessageTemplate
from practices.models import Practice
from practices.signals import practice_created
from practices.tenancy import Actor, practice_scope


def test_placeholders_are_filled_once() -> None:
    text = "Hello {{ patient_given_name }} and {{patient_given_name}} {not this}"
    assert fill(text, {"patient_given_name": "{{ practice_name }}"}) == (
        "Hello {{ practice_name }} and {{ practice_name }} {not this}"
    )


def test_every_placeholder_is_accepted() -> None:
    validate_placeholders(" ".join(f"{{{{ {name} }}}}" for name in PLACEHOLDERS))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ diagnosis }}", "unknown_placeholder"),
        ("{{ patient_given_name.__class__ }}", "unknown_placeholder"),
        ("{{ }}", "unknown_placeholder"),
        ("{{ patient_given_name", "malformed_placeholder"),
        ("patient_given_name }}", "malformed_placeholder"),
        ("{{ {patient_given_name} }}", "malformed_placeholder"),
    ],
)
def test_anything_else_in_braces_is_refused(text: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_placeholders(text)
    assert refused.value.code == code


def test_subject_stays_one_line_whatever_a_value_brings() -> None:
    assert one_line(fill("For {{ practice_name }}", {"practice_name": "A\r\nBcc: x@y.test"})) == "For A Bcc: x@y.test"


@pytest.mark.parametrize(
    ("start", "zone", "locale", "expected"),
    [
        (datetime(2027, 3, 14, 6, 30, tzinfo=UTC), "America/New_York", "en-US", ("March 14, 2027", "1:30 a.m. EST")),
        (datetime(2027, 3, 14, 7, 0, tzinfo=UTC), "America/New_York", "en-US", ("March 14, 2027", "3 a.m. EDT")),
        (datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "Europe/Berlin", "de-DE", ("28. März 2027", "03:00 CEST")),
        (datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "Europe/Berlin", "zz-ZZ", ("March 28, 2027", "3 a.m. CEST")),
    ],
)
def test_start_is_told_in_the_visits_zone_and_the_practices_language(
    start: datetime, zone: str, locale: str, expected: tuple[str, str]
) -> None:
    told = local_start(start, time_zone=zone, locale=locale)
    assert (told["start_date"], told["start_time"]) == expected


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": ""}, "subject"),
        ({"body": "{{ diagnosis }}"}, "body"),
        ({"subject": "{{ diagnosis }}"}, "subject"),
        ({"channel": "sms"}, "subject"),
        ({"channel": "sms", "subject": "", "body": "x" * 481}, "body"),
        ({"channel": "pigeon"}, "channel"),
    ],
)
def test_template_outside_its_channels_rules_is_refused(
    in_practice: Practice, changes: dict[str, str], field: str
) -> None:
    values = {"kind": MessageKind.CONFIRMATION, "channel": MessageChannel.EMAIL, "subject": "Hi", "body": "Hello"}
    with pytest.raises(ValidationError) as refused:
        MessageTemplate(**(values | changes)).full_clean()
    assert field in refused.value.message_dict


def test_second_template_for_a_kind_and_channel_is_refused(in_practice: Practice) -> None:
    values = {"kind": MessageKind.CONFIRMATION, "channel": MessageChannel.SMS, "body": "Hello"}
    MessageTemplate.objects.create(**values)
    with pytest.raises(ValidationError):
        MessageTemplate(**values).full_clean()
    with pytest.raises(IntegrityError):
        MessageTemplate.objects.create(**values)


def test_new_practice_starts_with_valid_templates(practice: Practice) -> None:
    with practice_scope(practice, actor=Actor.system("tests")):
        MessageTemplate.objects.all().delete()
        practice_created.send(Practice, practice=practice)
        templates = list(MessageTemplate.objects.all())
        assert {(template.kind, template.channel) for template in templates} == {
            (kind, channel) for kind in MessageKind for channel in MessageChannel
        }
        for template in templates:
            template.full_clean()


def test_practice_of_earlier_days_gets_the_wording_it_lacks(practice: Practice, other_practice: Practice) -> None:
    """The migration, on practices that were opened before there were reminders; a text of their own stays."""
    migration = import_module("integrations.migrations.0007_templates_of_earlier_practices")
    later = [MessageKind.REMINDER, MessageKind.OFFER]
    for each in (practice, other_practice):
        with practice_scope(each, actor=Actor.system("tests")):
            MessageTemplate.objects.filter(kind__in=later).delete()
    with practice_scope(practice, actor=Actor.system("tests")):
        MessageTemplate.objects.create(kind=MessageKind.REMINDER, channel=MessageChannel.SMS, body="Ours")
    migration.add_missing(apps, SimpleNamespace(connection=connection))
    for each in (practice, other_practice):
        with practice_scope(each, actor=Actor.system("tests")):
            assert MessageTemplate.objects.filter(kind__in=later).count() == 4
    with practice_scope(practice, actor=Actor.system("tests")):
        kept = MessageTemplate.objects.get(kind=MessageKind.REMINDER, channel=MessageChannel.SMS)
        assert kept.body == "Ours"
