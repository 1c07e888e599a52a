import dataclasses
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import course
from course.errors import CourseError
from course.profiles import PROFILES

HEAVY = {"jax", "keras", "nbconvert", "nbgrader", "papermill", "tensorflow"}


def python(code, **environment):
    """Run code in a fresh interpreter and return the lines that it prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def random_numbers():
    import keras

    return random.random(), np.random.rand(), float(keras.random.normal(()))


@pytest.mark.slow
def test_setup_prints_four_lines_and_returns_the_run(capsys):
    run = course.setup(profile="smoke", seed=3)
    assert (run.profile, run.seed) == ("smoke", 3)
    first, *rest = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"Keras 3\.[\d.]+ on {run.backend}, {run.device}", first)
    assert rest == [
        "profile  smoke: synthetic data generated from the seed; takes seconds",
        "data     synthetic",
        "seed     3",
    ]


@pytest.mark.slow
def test_setup_seeds_python_numpy_and_the_backend():
    numbers = []
    for seed in (7, 7, 8):
        course.setup(profile="smoke", seed=seed)
        numbers.append(random_numbers())
    assert numbers[0] == numbers[1]
    assert all(a != b for a, b in zip(numbers[0], numbers[2], strict=True))


@pytest.mark.slow
def test_the_environment_variable_sets_the_profile_unless_the_argument_does(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COURSE_PROFILE", "gpu")
    assert course.setup().profile == "gpu"
    assert f"data     {tmp_path}\n" in capsys.readouterr().out
    assert course.setup(profile="cpu").profile == "cpu"
    assert course.setup(profile="smoke").profile == "smoke"
    assert "data     synthetic\n" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=pytest.mark.jax)])
def test_without_a_gpu_the_profile_is_cpu_on_every_backend(backend, monkeypatch):
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    lines = python(
        "import course; r = course.setup(); print(r.profile, r.seed, r.backend, r.device)",
        KERAS_BACKEND=backend,
        CUDA_VISIBLE_DEVICES="-1",
        JAX_PLATFORMS="cpu",
    )
    assert lines[0].endswith(f" on {backend}, CPU")
    assert lines[1] == f"profile  cpu: {PROFILES['cpu']}"
    assert lines[4:] == [f"cpu 0 {backend} CPU"]


@pytest.mark.parametrize("profile", PROFILES)
def test_choose_returns_the_value_for_the_profile(profile):
    run = course.Run(profile, 0, "tensorflow", "CPU")
    assert run.choose(smoke="smoke", cpu="cpu", gpu="gpu") == profile
    with pytest.raises(TypeError, match="gpu"):
        run.choose(smoke=1, cpu=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.profile = "gpu"


@pytest.mark.parametrize("name", ["huge", "", "GPU", 3])
def test_an_unknown_profile_is_an_error_that_lists_the_known_ones(name):
    with pytest.raises(CourseError) as error:
        course.setup(profile=name)
    assert str(error.value) == (
        f"profile={name!r} is not a profile: choose one of smoke, cpu, gpu."
    )


@pytest.mark.parametrize("name", ["huge", ""])
def test_the_error_for_an_unknown_profile_in_the_variable_names_the_variable(name, monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", name)
    with pytest.raises(CourseError, match=f"^COURSE_PROFILE='{name}' is not a profile: choose"):
        course.setup()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "0", None, True, float("nan")])
def test_a_seed_that_is_not_an_integer_is_an_error(seed):
    with pytest.raises(CourseError) as error:
        course.setup(profile="smoke", seed=seed)
    assert str(error.value) == (
        f"seed={seed!r} is not an integer from 0 to 4294967295: choose one, such as 0."
    )


def test_neither_the_import_of_course_nor_a_wrong_argument_imports_keras():
    lines = python(
        "import sys, course\n"
        "for arguments in ({'profile': 'huge'}, {'seed': -1}):\n"
        "    try:\n"
        "        course.setup(**arguments)\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
        f"print({HEAVY} & set(sys.modules))"
    )
    assert lines == ["CourseError", "CourseError", "set()"]


def test_the_commands_help_imports_nothing_heavy():
    command = Path(sys.executable).with_name("course")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", command, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "release" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "course.instructor.cli.main" in imported
    assert not imported & HEAVY
