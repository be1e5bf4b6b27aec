"""Telephone numbers and addresses in the one form in which they are kept, compared and looked up."""

import langcodes
import phonenumbers
import pycountry
from django.core.exceptions import ValidationError
from email_validator import EmailNotValidError, validate_email

from practices.models import Practice
from practices.tenancy import active_practice_id


def region_of(locale: str) -> str | None:
    """`en-US` -> `US`: where a number without a country code is dialled."""
    subtags = [part.upper() for part in locale.split("-")[1:] if len(part) == 2]
    return subtags[0] if subtags else None


def normalised_phone(text: str, region: str | None) -> str:
    """E.164, with `;ext=` for an extension. Raises ValidationError `invalid_phone`."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValidationError("Enter a telephone number, with its country code if it is foreign.", code="invalid_phone")
    extension = f";ext={number.extension}" if number.extension else ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) + extension


def normalised_email(text: str) -> str:
    """Lower case. Raises ValidationError `invalid_email`."""
    try:
        # Only the text is judged, no server asked; .test is taken, which demo data uses and nothing delivers to.
        address = validate_email(text.strip(), allow_smtputf8=False, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValidationError("Enter an email address.", code="invalid_email") from error
    return address.normalized.lower()


def normalised_identifier(text: str) -> str:
    """`ab 123-45` -> `AB12345`: people write the same number with and without separators."""
    return "".join(c for c in text.upper() if c.isalnum())


def region() -> str | None:
    """Where a number without a country code is dialled: the active practice's region. One query."""
    return region_of(Practice.objects.values_list("locale", flat=True).get(pk=active_practice_id()))


def kept_phone(text: str, field: str) -> str:
    """The number as it is kept; raises ValidationError of `field`. One query."""
    try:
        return normalised_phone(text, region())
    except ValidationError as error:
        raise ValidationError({field: error}) from error


def kept_email(text: str, field: str) -> str:
    """The address as it is kept; raises ValidationError of `field`."""
    try:
        return normalised_email(text)
    except ValidationError as error:
        raise ValidationError({field: error}) from error


def language_tag(text: str) -> None:
    """Raises ValidationError unless it is a BCP 47 tag whose parts are registered."""
    if not langcodes.tag_is_valid(text):
        raise ValidationError("Enter a language tag, such as en or pt-BR.", code="invalid")


def kept_language(text: str) -> str:
    """`EN-us` -> `en-US`; what is no tag is left for validation to refuse."""
    return langcodes.standardize_tag(text) if text and langcodes.tag_is_valid(text) else text


def country_code(text: str) -> None:
    """Raises ValidationError unless ISO 3166-1 knows these two capitals."""
    if text != text.upper() or pycountry.countries.get(alpha_2=text) is None:
        raise ValidationError("Enter a country's two capitals, such as US.", code="invalid")
