"""Finds faults of docker-compose.yml without a container engine: ``python -m tests.deploy.compose_file``.

The shape is checked against the Compose specification's own schema (which check-jsonschema carries), and what no
schema knows by the rules below: names that are used are declared, secrets have no defaults, variables are documented.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.validators import validator_for

ROOT = Path(__file__).resolve().parent.parent.parent
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_0-9]+)((?::?[-?+])[^}]*)?\}")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN")


def problems_in(text: str, documented: str) -> list[str]:
    """What is wrong with a compose file; ``documented`` is the text of .env.example."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"not YAML: {error}"]
    schema = get_builtin_schema("vendor.compose-spec")
    validator = validator_for(schema)(schema)
    found = [
        f"{'.'.join(map(str, error.absolute_path)) or 'top'}: {error.message}"
        for error in validator.iter_errors(document)
    ]
    if found:
        return found
    return [*_undeclared_names(document), *_variable_problems(text, documented)]


def _undeclared_names(document: dict[str, Any]) -> list[str]:
    found = []
    services, volumes = document["services"], document.get("volumes", {})
    for name, service in services.items():
        found += [
            f"services.{name}.depends_on: there is no service {other}"
            for other in service.get("depends_on", {})
            if other not in services
        ]
        for volume in service.get("volumes", []):
            source = volume.split(":", 1)[0] if isinstance(volume, str) else volume.get("source", "")
            if re.fullmatch(r"[a-z][a-z0-9_-]*", source) and source not in volumes:
                found.append(f"services.{name}.volumes: there is no volume {source}")
        if "healthcheck" not in service:
            found.append(f"services.{name}: no health check")
        dockerfile = (service.get("build") or {}).get("dockerfile")
        if dockerfile and not (ROOT / dockerfile).exists():
            found.append(f"services.{name}.build: there is no file {dockerfile}")
    return found


def _variable_problems(text: str, documented: str) -> list[str]:
    found = []
    known = set(re.findall(r"^#?([A-Z_0-9]+)=", documented, re.MULTILINE))
    used = {}
    for name, rule in VARIABLE.findall(text):
        used[name] = rule
        if SECRET.search(name) and not rule.startswith(":?"):
            found.append(f"${{{name}}} is a secret: demand it with :? rather than give it a default")
        elif not rule:
            found.append(
                f"${{{name}}} has neither a default nor :?, so an unset one would be empty without a word"
            )
    found += [f"{name} is not documented in .env.example" for name in sorted(set(used) - known)]
    return found + [f"{name} in .env.example is used nowhere" for name in sorted(known - set(used))]


def main() -> int:
    found = problems_in((ROOT / "docker-compose.yml").read_text(), (ROOT / ".env.example").read_text())
    for problem in found:
        print(f"docker-compose.yml: {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
