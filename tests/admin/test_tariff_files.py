"""Tariff folders in the admin: a version's files as an archive."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from apps.rating.models import TariffVersion
from bss_project.staff_groups import create_groups
from tests.rating.folders import MINIMAL, write_folder

pytestmark = pytest.mark.django_db


def signed_in(group: str = "") -> Client:
    user = User.objects.create_user(
        group or "root", "", "only-for-tests", is_staff=True, is_superuser=not group
    )
    if group:
        create_groups()
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def loaded(tmp_path: Path) -> TariffVersion:
    quiet = io.StringIO()
    call_command("loadtariffplan", str(write_folder(tmp_path / "tp")), stdout=quiet, stderr=quiet)
    return TariffVersion.objects.get()


def test_a_versions_files_are_downloaded_as_an_archive(loaded: TariffVersion) -> None:
    address = reverse("admin:rating_tariffversion_do", args=(loaded.pk, "download"))
    client = signed_in("auditor")
    assert "Shared" in client.get(address).content.decode()
    answer = client.post(address, {"plan": "*shared"})
    assert answer["Content-Disposition"] == f'attachment; filename="tariff-{loaded.pk}-shared.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        assert folder.namelist() == [f"{name}.csv" for name in MINIMAL]
        assert "RT_MOB,0,1.2,60,30,0\n" in folder.read("Rates.csv").decode()
