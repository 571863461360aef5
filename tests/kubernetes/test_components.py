"""What an overlay can have besides: recordings, traces, a registry with a login."""

import shutil
from pathlib import Path

import pytest

from support.manifests import FOLDER, SERVICES, Manifests, kustomized, rendered

OVERLAYS = ("small", "production-hpa", "production-keda")
RECORDED = "production-hpa+recordings"
TRACED = "production-hpa+traces"


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("component", ["recordings", "traces"])
def test_each_goes_with_every_overlay_and_takes_nothing_away(overlay: str, component: str) -> None:
    def names(manifests: Manifests) -> set[tuple[str, str]]:
        objects = [one for one in manifests.objects if one["kind"] != "ConfigMap"]
        return {(one["kind"], one["metadata"]["name"]) for one in objects}

    more = names(rendered(f"{overlay}+{component}")) - names(rendered(overlay))
    assert len(more) == 1
    assert not names(rendered(overlay)) - names(rendered(f"{overlay}+{component}"))


# --- Recordings


def test_all_gateways_share_one_volume_and_nobody_else_has_it() -> None:
    manifests = rendered(RECORDED)
    (claim,) = manifests.of("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for service in SERVICES:
        claims = [
            one["persistentVolumeClaim"]["claimName"]
            for one in manifests.pod(service).spec["volumes"]
            if "persistentVolumeClaim" in one
        ]
        assert claims == ([claim["metadata"]["name"]] if service == "gateway" else [])


def test_recordings_are_in_a_folder_that_the_gateway_makes_in_the_volume() -> None:
    manifests = rendered(RECORDED)
    folder = Path(manifests.environment("gateway")["PARLEY_RECORDINGS"])
    mounts = manifests.pod("gateway").container["volumeMounts"]
    (mount,) = (one for one in mounts if one["name"] == "recordings")
    # The volume's own folder belongs to whoever made the volume, and others may read it.
    assert folder.parent == Path(mount["mountPath"])
    assert not mount.get("readOnly")
    assert "PARLEY_RECORDINGS_HOURS" in manifests.environment("gateway")
    context = manifests.pod("gateway").spec["securityContext"]
    assert context["fsGroupChangePolicy"] == "OnRootMismatch"
    assert context["runAsUser"] == context["fsGroup"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_is_kept_unless_asked_for(overlay: str) -> None:
    environment = rendered(overlay).environment("gateway")
    assert "PARLEY_RECORDINGS" not in environment
    # In production it stands there, for whoever is to decide it.
    assert environment.get("PARLEY_RECORD_HOURS") == (None if overlay == "small" else "0")


# --- Traces


def test_traces_go_to_the_port_that_the_policy_opens() -> None:
    manifests = rendered(TRACED)
    (rule,) = manifests.get("NetworkPolicy", "traces")["spec"]["egress"]
    (port,) = rule["ports"]
    for service in SERVICES:
        assert manifests.environment(service)["PARLEY_TRACES"].endswith(f":{port['port']}")


# --- What stands in comments


def test_images_can_be_pulled_with_a_login(tmp_path: Path) -> None:
    for folder in ("kubernetes", "nats"):
        shutil.copytree(FOLDER.parent / folder, tmp_path / folder)
    file = tmp_path / "kubernetes" / "components" / "images" / "kustomization.yaml"
    before, _, commented = file.read_text().partition("# patches:")
    lines = f"# patches:{commented}".splitlines()
    file.write_text(before + "\n".join(line.removeprefix("# ") for line in lines) + "\n")
    overlay = tmp_path / "kubernetes" / "overlays" / "small"
    accounts = kustomized(overlay).of("ServiceAccount")
    assert len(accounts) == len(SERVICES)
    assert all(one["imagePullSecrets"] == [{"name": "registry"}] for one in accounts)
