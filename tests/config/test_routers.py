from collections.abc import Sequence

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLPattern, include, path, re_path, resolve
from django.urls.resolvers import URLResolver

from config.api.routers import by_first_word
from config.urls import api_v1


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def routes(patterns: Sequence[URLPattern | URLResolver]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for each in patterns:
        if isinstance(each, URLResolver):
            found += routes(each.url_patterns)
        else:
            found.append((str(each.pattern), each.callback))
    return found


def test_grouping_leaves_no_route_out() -> None:
    assert sorted(routes(by_first_word(api_v1)), key=str) == sorted(routes(api_v1), key=str)


def test_first_words_are_whole_words() -> None:
    group = by_first_word(
        [path("patients", view), re_path(r"^patients/(?P<pk>\d+)$", view), path("patient-merges", view)]
    )
    assert [str(each.pattern.describe()) for each in group] == ["'patients'", "'patient-merges'"]
    assert [each.resolve("patients/7") is not None for each in group[:1]] == [True]
    for strange in ("patients7", "patient", "patients/7/", "", "/patients"):
        for each in group:
            with pytest.raises(Resolver404):
                each.resolve(strange)
    assert resolve("/api/v1/patients").view_name == "patient-list"


@pytest.mark.parametrize("strange", [re_path(r"^(?P<word>\w+)$", view), path("patients/", include([path("x", view)]))])
def test_what_has_no_first_word_is_refused(strange: URLPattern | URLResolver) -> None:
    with pytest.raises(ImproperlyConfigured):
        by_first_word([strange])
