from typing import Any

from django.core.checks import CheckMessage, Error, register

from integrations.vendors import configuration_problems


@register()
def check_vendors(**kwargs: Any) -> list[CheckMessage]:
    return [Error(problem, id="integrations.E001") for problem in configuration_problems()]
