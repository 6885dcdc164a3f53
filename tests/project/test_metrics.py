"""Metrics and probes: what processes keep, that Prometheus reads it, and that dashboard and alerts name what exists."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from apps.diameter.load.runner import LoadPlan, LoadRun
from apps.diameter.load.scenarios import Party
from apps.runtime import metrics
from bss_project.installation_metrics import FIGURES, InstallationCollector
from bss_project.settings.environment import BASE_DIR
from tests.charging.stored import make_prepaid, msisdn
from tests.interop.diameter.processes import diameter_server
from tests.patience import eventually
from tests.servers import free_port

PROMETHEUS = BASE_DIR / "deploy" / "prometheus"
MESSAGES = 12


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def value(exposition: str, sample: str) -> float:
    """The value of a sample such as ``name{label="x"}``."""
    found = [line for line in exposition.splitlines() if line.startswith(f"{sample} ")]
    assert len(found) == 1, f"{sample} in:\n{exposition}"
    return float(found[0].rpartition(" ")[2])


def test_without_a_port_nothing_is_imported_and_a_metric_does_nothing() -> None:
    program = (
        "import django, sys; django.setup(); import apps.charging.services.executor as e; "
        "e.BATCH_REQUESTS.observe(3); e.BATCH_REQUESTS.labels('x').inc(); print('prometheus_client' in sys.modules)"
    )
    env = {**os.environ, "BSS_METRICS_PORT": "0"}
    assert subprocess.check_output([sys.executable, "-c", program], env=env, text=True).strip() == "False"


@pytest.mark.django_db(transaction=True)
def test_gy_processes_behind_one_port_are_measured_together(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_prepaid(1, balance_micros=1_000_000_000)
    port = free_port()
    monkeypatch.setenv("BSS_METRICS_PORT", str(port))
    with diameter_server(database_url, "--processes", "2") as server:
        plan = LoadPlan(
            host="127.0.0.1",
            port=server.port,
            parties=[Party(msisdn(1))],
            destination_realm="operator.test",
            mix={"sms": 1},
            sessions=4,
            requests=MESSAGES,
        )
        answered = asyncio.run(LoadRun(plan).run(1_700_000_000)).codes["event", 2001]
        assert answered >= MESSAGES
        assert get(f"http://127.0.0.1:{port}/livez") == (200, "ok\n")
        assert get(f"http://127.0.0.1:{port}/readyz") == (200, "ok\n")
        assert get(f"http://127.0.0.1:{port}/other")[0] == 404
        _, exposition = get(f"http://127.0.0.1:{port}/metrics")
    answers = 'bss_ccr_seconds_count{request="CCR-E",result_code="2001"}'
    assert value(exposition, answers) == answered
    assert (
        value(exposition, 'bss_ccr_seconds_bucket{le="+Inf",request="CCR-E",result_code="2001"}') == answered
    )
    assert value(exposition, "bss_charging_batch_requests_sum") >= answered


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[int]:
    """The port of the metrics of an installation that runs beat and a worker."""
    port = free_port()
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bss_project.settings",
        "DATABASE_URL": database_url,
        "BROKER_URL": f"filesystem://{tmp_path}/broker",
        "BSS_VAR_DIR": str(tmp_path / "var"),
        "BSS_METRICS_PORT": str(port),
        "BSS_EVENTS_TICK_S": "1",
    }
    command = [
        sys.executable,
        str(BASE_DIR / "manage.py"),
        "serve",
        "--no-migrate",
        "--only",
        "beat,maintenance",
    ]
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        eventually(lambda: "everything is ready" in (tmp_path / "serve.log").read_text())
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.django_db(transaction=True)
def test_a_real_prometheus_reads_processes_and_installation(served: int, tmp_path: Path) -> None:
    config = (PROMETHEUS / "prometheus.yml").read_text().replace("9464", str(served)).replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(config)
    (tmp_path / "alerts.yml").write_text((PROMETHEUS / "alerts.yml").read_text())
    port = free_port()
    prometheus = subprocess.Popen(
        [
            *(
                "prometheus",
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/tsdb",
            ),
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def asked(query: str) -> list[str]:
        try:
            status, body = get(f"http://127.0.0.1:{port}/api/v1/query?query={query}")
        except OSError:
            return []
        return [sample["value"][1] for sample in json.loads(body)["data"]["result"]] if status == 200 else []

    try:
        eventually(lambda: asked("up") == ["1"])
        eventually(lambda: asked("bss_licence_days_left") == [str(20 * 366)])
        eventually(lambda: len(asked("bss_task_seconds_count")) > 0)
        assert asked("bss_figures_failed") == ["0"]
        rules = json.loads(get(f"http://127.0.0.1:{port}/api/v1/rules")[1])["data"]["groups"][0]["rules"]
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    finally:
        prometheus.terminate()
        prometheus.wait(30)


def test_rules_and_configuration_pass_promtool() -> None:
    for command in (("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")):
        done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_dashboard_and_alerts_name_metrics_that_exist_and_every_alert_is_explained() -> None:
    declared = {f"bss_{name}" for name, *_ in FIGURES} | {"bss_figures_failed"}
    for path in [*BASE_DIR.glob("apps/**/*.py"), *BASE_DIR.glob("bss_project/*.py")]:
        for kind, name in re.findall(r'metrics\.(counter|histogram)\(\s*"(\w+)"', path.read_text()):
            endings = ("_total",) if kind == "counter" else ("_bucket", "_sum", "_count")
            declared |= {f"bss_{name}{ending}" for ending in endings}
    alerts = (PROMETHEUS / "alerts.yml").read_text()
    board = (BASE_DIR / "deploy" / "grafana" / "bss.json").read_text()
    json.loads(board)
    assert set(re.findall(r"\bbss_\w+", alerts + board)) <= declared
    explained = (BASE_DIR / "docs" / "operations.md").read_text()
    assert [name for name in re.findall(r"alert: (\w+)", alerts) if f"**{name}**" not in explained] == []


@pytest.mark.django_db
def test_the_installation_is_described_by_figures_that_can_all_be_read() -> None:
    found = {family.name: family for family in InstallationCollector().collect()}
    assert found["bss_figures_failed"].samples[0].value == 0
    assert set(found) == {f"bss_{name}" for name, *_ in FIGURES} | {"bss_figures_failed"}
    assert {sample.labels["state"] for sample in found["bss_documents"].samples} == {
        *("due", "in hand", "waiting", "given up")
    }


@pytest.mark.django_db
def test_the_web_tells_an_orchestrator_that_it_lives_and_is_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/livez").content == b"ok\n"
    assert client.get("/readyz").status_code == 200
    from apps.runtime import probes

    monkeypatch.setitem(probes._probes, "gateway", lambda: "out of order")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.content) == (503, b"gateway: out of order\n")


def test_metrics_are_off_in_these_tests() -> None:
    assert not metrics.is_on()
