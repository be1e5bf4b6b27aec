"""Telephone numbers and addresses in the one form in which they are kept, compared and looked up."""

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email


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
    address = text.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        raise ValidationError("Enter an email address.", code="invalid_email") from error
    return address


def normalised_identifier(text: str) -> str:
    """`ab 123-45` -> `AB12345`: people write the same number with and without separators."""
    return "".join(c for c in text.upper() if c.isalnum())
