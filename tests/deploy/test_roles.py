"""Procfile, compose, systemd and Kubernetes have the same roles. Tests of `deploy/` and `compose.yaml`."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from config.embedded.programs import read_procfile
from config.lib.roles import ROLES
from tests.house.test_rules import files
from tests.rig import PROJECT

DEPLOY = PROJECT / "deploy"
COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text())
KUBERNETES = DEPLOY / "kubernetes"
# Their names in .env are read by compose alone.
_OF_COMPOSE = {"SITE", "WORKERS", "HTTP_PORT", "HTTPS_PORT", "BACKUPS", "BACKUP_KEEP_DAYS", "REDIS_PASSWORD",
               "REDIS_MAXMEMORY"}  # fmt: skip
_PREFIXES = ("POSTGRES_",)


def documents() -> Iterator[tuple[Path, dict]]:
    for path in sorted(files("*.yaml", below=KUBERNETES)):
        for document in yaml.safe_load_all(path.read_text()):
            yield path, document


def of_kind(kind: str) -> dict[str, dict]:
    return {found["metadata"]["name"]: found for _, found in documents() if found["kind"] == kind}


def compose_roles() -> set[str]:
    """The services that run a role of ours."""
    found = COMPOSE["services"].items()
    return {name for name, service in found if "env_file" in service and name != "migrate"}


def container(deployment: dict) -> dict:
    [found] = deployment["spec"]["template"]["spec"]["containers"]
    return found


def known_variables() -> set[str]:
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))


class TestRoles:
    def test_of_the_procfile_are_those_that_health_expects(self):
        assert tuple(read_procfile(PROJECT / "Procfile")) == ROLES

    def test_of_compose_are_those_of_the_procfile(self):
        assert compose_roles() == set(ROLES)
        assert all(COMPOSE["services"][role]["command"] == [role] for role in ROLES)

    def test_of_systemd_are_those_of_the_procfile(self):
        target = (DEPLOY / "systemd" / "agents.target").read_text()

        wanted = re.findall(r"^Wants=agents@([a-z]+)[.\d]*\.service$", target, re.MULTILINE)

        assert set(wanted) == set(ROLES)

    def test_of_kubernetes_are_those_of_the_procfile(self):
        deployments = of_kind("Deployment")

        assert set(deployments) == {f"agents-{role}" for role in ROLES}
        assert {container(found)["args"][0] for found in deployments.values()} == set(ROLES)


class TestRole:
    """`deploy/role` runs what the Procfile says."""

    @staticmethod
    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [DEPLOY / "role", *arguments],
            env={"PATH": os.environ["PATH"], **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "deploy").mkdir()
        shutil.copy(DEPLOY / "role", tmp_path / "deploy" / "role")
        (tmp_path / "Procfile").write_text("web: exec echo port ${API_PORT:-8080}\nworker: exec echo works\n")
        return tmp_path

    @pytest.mark.parametrize(
        ("name", "environ", "said"),
        [
            ("web", {}, "port 8080\n"),
            ("web", {"API_PORT": "81"}, "port 81\n"),
            ("worker.2", {}, "works\n"),
        ],
    )
    def test_is_run_with_the_environment(self, folder, name, environ, said):
        done = subprocess.run(
            [folder / "deploy" / "role", name],
            env={"PATH": os.environ["PATH"], **environ},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )

        assert done.stdout == said

    def test_unknown_is_refused_with_those_that_exist(self):
        done = self.run("webb")

        assert done.returncode == 64
        assert all(role in done.stderr for role in ROLES)


class TestCompose:
    def test_variables_are_of_the_service_or_in_its_example(self):
        known = known_variables() | {"POSTGRES_PASSWORD"}
        text = (PROJECT / "compose.yaml").read_text()
        example = (DEPLOY / "compose" / "env.example").read_text()

        used = set(re.findall(r"\$\{([A-Z_]+)", text))
        shown = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))

        images = {name for name in used if name.endswith("_IMAGE")}
        assert used - images - known <= shown
        assert {name for name in shown - known - _OF_COMPOSE if not name.startswith(_PREFIXES)} == set()

    def test_nobody_but_the_proxy_has_a_port_outside(self):
        assert [name for name, found in COMPOSE["services"].items() if "ports" in found] == ["proxy"]

    @pytest.mark.parametrize("role", ROLES)
    def test_role_cannot_write_but_to_its_data_and_has_no_capabilities(self, role):
        service = COMPOSE["services"][role]

        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["volumes"] == ["data:/data"]

    def test_migrations_come_before_every_role(self):
        for role in ROLES:
            needed = COMPOSE["services"][role]["depends_on"]["migrate"]
            assert needed == {"condition": "service_completed_successfully"}

    def test_redis_evicts_nothing_and_keeps_the_spool(self):
        command = " ".join(COMPOSE["services"]["valkey"]["command"])

        assert "--maxmemory-policy noeviction" in command
        assert "--appendonly yes" in command


class TestKubernetes:
    def test_resources_of_the_kustomization_exist(self):
        for folder in (KUBERNETES, KUBERNETES / "keda"):
            listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
            assert [name for name in listed if not (folder / name).exists()] == []

    @pytest.mark.parametrize("name", [f"agents-{role}" for role in ROLES])
    def test_role_is_probed_and_cannot_write_or_be_root(self, name):
        found = of_kind("Deployment")[name]
        pod, main = found["spec"]["template"]["spec"], container(found)

        assert main["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "metrics"}
        assert main["securityContext"]["readOnlyRootFilesystem"] is True
        assert main["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert main["resources"]["limits"]["memory"]

    @pytest.mark.parametrize("role", ["web", "webhook", "live"])
    def test_role_with_a_port_gets_requests_only_while_it_is_ready(self, role):
        main = container(of_kind("Deployment")[f"agents-{role}"])

        assert main["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "http"}

    def test_ports_are_those_of_the_configuration(self):
        configured = of_kind("ConfigMap")["agents"]["data"]
        names = {"web": "API_PORT", "webhook": "WEBHOOK_PORT", "live": "LIVE_PORT"}

        for role, name in names.items():
            ports = container(of_kind("Deployment")[f"agents-{role}"])["ports"]
            assert str(ports[0]["containerPort"]) == configured[name]

    def test_services_and_budgets_select_deployments_that_exist(self):
        labels = [found["spec"]["selector"]["matchLabels"] for found in of_kind("Deployment").values()]
        services = [found["spec"]["selector"] for found in of_kind("Service").values()]
        budgets = [
            found["spec"]["selector"]["matchLabels"] for found in of_kind("PodDisruptionBudget").values()
        ]

        assert [wanted for wanted in services + budgets if wanted not in labels] == []

    def test_variables_are_those_of_the_service(self):
        configured = of_kind("ConfigMap")["agents"]["data"] | of_kind("Secret")["agents"]["stringData"]

        assert set(configured) - known_variables() == set()

    def test_query_that_scales_workers_runs(self, db, django_assert_num_queries):
        from django.db import connection

        [trigger] = of_kind("ScaledObject")["agents-worker"]["spec"]["triggers"]
        with connection.cursor() as cursor:
            cursor.execute(trigger["metadata"]["query"])
            assert cursor.fetchall() == [(0,)]


class TestImage:
    def test_gets_every_file_that_the_service_needs(self):
        allowed = {
            line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
        }
        rooms = {"agents", "billing", "channels_app", "config", "conversations", "extraction", "templates"}

        assert rooms | {"Procfile", "manage.py", "requirements.txt", "deploy/role"} <= allowed
        assert not {".env", ".git", ".data", "tests"} & allowed

    def test_runs_as_nobody_in_particular(self):
        text = (PROJECT / "Dockerfile").read_text()

        assert re.search(r"^USER 10001$", text, re.MULTILINE)
        assert text.index("USER 10001") < text.index("ENTRYPOINT")
