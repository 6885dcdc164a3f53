"""The admin's door, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.any_database
def test_an_administrator_signs_in_and_sees_the_dashboard(signed_in_page: Any, live_server: Any) -> None:
    assert signed_in_page.url == f"{live_server.url}/admin/"
    assert signed_in_page.locator("input[name=password]").count() == 0


@pytest.mark.any_database
def test_a_wrong_password_stays_at_the_door(page: Any, live_server: Any, django_user_model: Any) -> None:
    django_user_model.objects.create_superuser("admin", "admin@example.com", "only-for-tests")
    page.goto(f"{live_server.url}/admin/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", "guessed")
    page.click("[type=submit]")
    page.wait_for_load_state()
    assert "/admin/login/" in page.url
    assert page.locator("input[name=password]").count() == 1
