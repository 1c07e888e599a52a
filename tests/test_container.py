"""The container for instructors: packages as in `make demo`, and the options of bubblewrap."""

import json
import re

from tests.submissions import ROOT

IMAGE = (ROOT / "docker" / "instructor.Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "instructors" / "container.md").read_text(encoding="utf-8")
# Without the lines that are comments, which JSON does not have.
SETTINGS = json.loads(
    re.sub(r"^\s*//.*$", "", (ROOT / ".devcontainer" / "devcontainer.json").read_text(), flags=re.M)
)


def test_the_base_image_has_a_fixed_date():
    assert re.search(r"^FROM debian:bookworm-20\d{6}-slim$", IMAGE, re.MULTILINE)


def test_the_image_installs_what_make_demo_needs():
    (needed,) = re.findall(r"^demo: ([^#]*)", MAKEFILE, re.MULTILINE)
    packages = re.findall(r"\.apt-([\w-]+)", needed)
    assert f"RUN .ci/packages {' '.join(packages)} " in IMAGE
    (target,) = re.findall(r"\$\(VENV\)/(\.\w+)(?= |$)", needed)
    assert "ENV VENV=/opt/venv " in IMAGE and f"RUN make /opt/venv/{target}\n" in IMAGE
    python = re.search(r"^PYTHON \?= (\S+)$", MAKEFILE, re.MULTILINE)[1]
    assert f" make {python} {python}-venv " in IMAGE
    for files in re.findall(r"^COPY (.*) \S+$", IMAGE, re.MULTILINE):
        assert all((ROOT / name).exists() for name in files.split())


def test_the_image_starts_the_formgrader_as_another_user_than_root():
    assert re.findall(r"^USER (\w+)$", IMAGE, re.MULTILINE) == ["course"]
    command = json.loads(IMAGE.partition("\nCMD ")[2].replace("\\\n", ""))
    assert command[0] == "make" and command[2] == "formgrader" and "--ip=0.0.0.0" in command[3]
    assert "$(JUPYTER_FLAGS)" in MAKEFILE


def test_the_guide_and_the_development_container_have_the_same_options():
    options = re.findall(r"--security-opt (\w+=unconfined)", GUIDE.partition("## In VS Code")[0])
    assert options == ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"]
    assert SETTINGS["runArgs"] == [f"--security-opt={option}" for option in options]
    assert "privileged" not in json.dumps(SETTINGS)


def test_the_development_container_uses_this_image():
    build = {key: ROOT / ".devcontainer" / path for key, path in SETTINGS["build"].items()}
    assert build["dockerfile"].samefile(ROOT / "docker" / "instructor.Dockerfile")
    assert build["context"].samefile(ROOT)
    assert "/opt/venv/.instructor" in SETTINGS["postCreateCommand"]


def test_only_this_machine_can_reach_the_formgrader():
    (port,) = re.findall(r"^EXPOSE (\d+)$", IMAGE, re.MULTILINE)
    assert f"--publish 127.0.0.1:{port}:{port}" in GUIDE
    assert SETTINGS["forwardPorts"] == [int(port)]
