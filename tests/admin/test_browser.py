"""The admin in a real browser: it works under its own content security policy, and asks nobody else for anything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from accounts import invitations, password_reset
from accounts.models import User
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import client_for, membership_of
from tests.factories.accounts import PASSWORD
from tests.rows import SETUP, make_row

NEW_PASSWORD = "a-long-and-rare-one"
CURE = "Chromium is missing: apt-get install chromium (Debian), or put a `chromium` into PATH."
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = pytest.mark.machinery


@pytest.mark.django_db(transaction=True)
def test_staff_work_in_a_browser(practice: Practice, live_server: Any) -> None:
    user = client_for("front_desk", practice).user
    with practice_scope(practice, actor=SETUP):
        make_row(Patient, given_name="Ada", family_name="Byron")
    assert _complaints(live_server.url, partial(_work, email=user.email)) == []


@pytest.mark.django_db(transaction=True)
def test_mailed_links_are_good_in_a_browser(practice: Practice, live_server: Any) -> None:
    """Browsers say by the page's Referrer-Policy where a form comes from, which the test client doesn't."""
    user = client_for("owner", practice).user
    reset = (password_reset.make_link(user_id=user.pk) or "").partition("#")[2]
    with practice_scope(practice, actor=SETUP):
        row = invitations.invite(email="new@example.test", roles=["biller"], by=SETUP)
        invited = (invitations.new_token(row.pk) or (row, ""))[1]
    assert _complaints(live_server.url, partial(_follow, reset=reset, invited=invited)) == []
    assert User.objects.get(pk=user.pk).check_password(NEW_PASSWORD)
    assert membership_of(User.objects.get(email="new@example.test"), practice).roles == ["biller"]


def _complaints(url: str, work: Callable[[Page, str], None]) -> list[str]:
    """What the browser complained of while it did the work, and what it asked of anybody else."""
    path = shutil.which("chromium")
    if path is None and "CI" not in os.environ:
        pytest.skip(CURE)
    assert path, CURE
    with ThreadPoolExecutor(1) as thread:  # playwright runs an event loop, in which Django would refuse the ORM
        complaints, asked = thread.submit(_visit, path, url, work).result(timeout=60)
    return complaints + [each for each in asked if not each.startswith((url, "data:"))]


def _visit(path: str, url: str, work: Callable[[Page, str], None]) -> tuple[list[str], list[str]]:
    """What the browser complained of, and every address it asked for."""
    complaints: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=path, args=list(QUIET)).new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        work(page, url)
    return complaints, asked


def _follow(page: Page, url: str, reset: str, invited: str) -> None:
    page.goto(f"{url}/admin/password-reset/#{reset}")
    page.fill("[name=new_password]", NEW_PASSWORD)
    page.click("button:has-text('Set the password')")
    page.get_by_text("Your new password is set").wait_for()
    page.goto(f"{url}/admin/invitation/#{invited}")
    page.fill("[name=name]", "Nora New")
    page.fill("[name=password]", NEW_PASSWORD)
    page.click("button:has-text('Accept')")
    page.get_by_text("You are a member of").wait_for()


def _work(page: Page, url: str, email: str) -> None:
    page.goto(f"{url}/admin/")
    page.fill("[name=username]", email)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.get_by_text("No visits today").wait_for()
    page.click("a[href='/admin/patients/patient/']")
    page.click("a:has-text('Byron, Ada')")
    assert page.input_value("[name=given_name]") == "Ada"
    page.click("#row-actions button:has-text('Archive')")
    page.get_by_text("The chart is archived").wait_for()
    page.goto(f"{url}/admin/appointments/appointment/add/")
    page.locator(".select2-selection").first.click()
    page.keyboard.type("byr")
    page.locator(".select2-results__option", has_text="Byron, Ada").wait_for()
