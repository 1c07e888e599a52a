"""Run measurements until they are complete or the time is up; see the docstring of the package."""

import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import numpy as np

from course import datasets
from course.files import write_atomically
from tests.benchmarks.gpu import capstone, networks
from tests.benchmarks.gpu.replicas import Job, Replicas, compute_policy

VALIDATION_IMAGES = 10_000  # of the training images, in 04 and 05
TINY = 640  # the number of images per split with --tiny


class Results:
    """The finished trainings, written to a file after each one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        device = jax.devices()[0]
        self.content: dict[str, Any] = {
            "machine": f"{device.device_kind}, {os.cpu_count()} CPU cores",
            "versions": {"Python": platform.python_version()}
            | {name: version(name) for name in ("jax", "keras")},
            "date": time.strftime("%Y-%m-%d"),
            "command": " ".join(["python -m tests.benchmarks.gpu", *map(repr, sys.argv[1:])]),
            "runs": [],
        }

    def add(self, runs: list[dict[str, Any]]) -> None:
        """Add finished trainings and write the file."""
        self.content["runs"] += runs
        rows = ",\n".join(json.dumps(run) for run in self.content["runs"])
        head = json.dumps(self.content | {"runs": []}, indent=1)
        write_atomically(self.path, head.replace('"runs": []', f'"runs": [\n{rows}\n]') + "\n")


def load(tiny: bool) -> dict[str, Any]:
    """Return the splits of CIFAR-10 as uint8 images and int32 labels: "training" and "test"."""
    if tiny:
        random = np.random.default_rng(0)
        data = [
            (random.integers(0, 255, (TINY, 32, 32, 3), np.uint8), random.integers(0, 10, TINY))
            for _ in range(2)
        ]
    else:
        data = datasets.load_cifar10("gpu")
    names = ("training", "test")
    return {
        name: (images, labels.astype("int32"))
        for name, (images, labels) in zip(names, data, strict=True)
    }


def experiment_splits(data: dict[str, Any]) -> dict[str, Any]:
    """Return the splits for 06, which validates on test images: one half of them, and the other."""
    (images, labels), half = data["test"], len(data["test"][0]) // 2
    return {
        "training": data["training"],
        "validation": (images[:half], labels[:half]),
        "test": (images[half:], labels[half:]),
    }


def lesson_splits(data: dict[str, Any]) -> dict[str, Any]:
    """Return the splits for 04 and 05, which validate on the last training images."""
    images, labels = data["training"]
    count = min(VALIDATION_IMAGES, len(images) // 5)
    return {
        "training": (images[:-count], labels[:-count]),
        "validation": (images[-count:], labels[-count:]),
        "test": data["test"],
    }


def rows_of(job: Job, seeds: list[int], parameters: int, found: dict[str, Any]) -> list[dict]:
    """Return one record per seed."""
    return [
        {
            "network": job.network,
            "configuration": job.configuration,
            "seed": seed,
            "batch_size": job.batch_size,
            "epochs": found["epochs"],
            "parameters": parameters,
            "dtype": job.dtype or compute_policy(),
            "seconds_of_all_seeds": round(found["seconds"], 2),
            "curves": {
                name: [round(float(each), 4) for each in values[:, index]]
                for name, values in found["curves"].items()
            },
        }
        for index, seed in enumerate(seeds)
    ]


def run_jobs(
    jobs: list[Job], splits: dict[str, Any], seeds: list[int], results: Results, deadline: float
) -> None:
    """Compile the jobs side by side, and train them in order."""
    shapes = jax.tree.map(lambda each: jax.ShapeDtypeStruct(each.shape, each.dtype), splits)
    waiting: list[tuple[Replicas, Future]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for job in jobs:
            replicas = Replicas(job, seeds)
            replicas.lower(shapes)
            waiting.append((replicas, pool.submit(replicas.compile)))
        log(f"{len(jobs)} jobs traced")
        # Trainings that run while others are compiled would disturb the choice of algorithms.
        for _, compiled in waiting:
            compiled.result()
        log("all compiled")
        on_device = jax.tree.map(jnp.asarray, splits)
        for replicas, _ in waiting:
            job = replicas.job
            if time.perf_counter() > deadline:
                log(f"no time left for {job.network}, {job.configuration}")
                continue
            found = replicas.train(on_device, deadline)
            results.add(rows_of(job, seeds, replicas.parameters, found))
            curves = found["curves"]
            shown = [
                f"{100 * curves[key][-1].mean():.2f} ± {100 * curves[key][-1].std():.2f}"
                for key in ("training_accuracy", "validation_accuracy", "test_accuracy")
            ]
            log(
                f"{job.network}, {job.configuration}: {found['epochs']} epochs,"
                f" {found['seconds']:.1f} s, compiled in {replicas.seconds_to_compile:.0f} s,"
                f" {' / '.join(shown)}"
            )


def run_capstone(
    names: list[str], data: dict[str, Any], seeds: list[int], results: Results, deadline: float,
    epochs: int | None,
) -> None:  # fmt: skip
    """Train the configurations of the capstone that have one of the names, in order."""
    known = {each.name: each for each in capstone.CONFIGURATIONS}
    batch_size = min(1024, len(data["training"][0]) // 4)
    chosen = [replace(known[name], batch_size=batch_size) for name in names]
    if batch_size < 1024:
        chosen = [replace(each, widths=(8, 16, 16)) for each in chosen]
    if epochs:
        chosen = [replace(each, epochs=epochs) for each in chosen]
    on_device = jax.tree.map(jnp.asarray, data)
    trainers: dict[tuple, Any] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for each in chosen:
            if each.network not in trainers:
                trainer = capstone.Trainer(each, on_device)
                trainers[each.network] = trainer, pool.submit(trainer.compile)
        for _, compiled in trainers.values():
            compiled.result()
    log(f"{len(trainers)} networks compiled")
    warm: set[tuple] = set()
    for each in chosen:
        trainer = trainers[each.network][0]
        for seed in seeds:
            if time.perf_counter() > deadline:
                break
            if each.network not in warm:  # the first run of a program loads its kernels
                trainer.train(replace(each, epochs=1), 0)
                warm.add(each.network)
            found = trainer.train(each, seed)
            results.add([found])
            log(
                f"{each.name}, seed {seed}: {found['seconds']:.2f} s,"
                f" test {100 * found['test_accuracy']:.2f} %, with flips"
                f" {100 * found['test_accuracy_with_flips']:.2f} %, and shifts"
                f" {100 * found['test_accuracy_with_flips_and_shifts']:.2f} %"
            )


START = time.perf_counter()


def log(text: str) -> None:
    """Print a line with the time since the start."""
    print(f"{time.perf_counter() - START:6.1f} s  {text}", flush=True)


def main() -> None:
    """Parse the command line and run what it names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "measurements", nargs="+",
        help='"CONFIGURATION=NAME,NAME" or "CONFIGURATION=all" for experiments of 06; "lessons";'
        ' "capstone=NAME|NAME" or "capstone=all"',
    )  # fmt: skip
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1e9, help="start nothing after this time")
    parser.add_argument("--epochs", type=int, help="fewer epochs, to try the command")
    parser.add_argument("--tiny", action="store_true", help="a few random images")
    options = parser.parse_args()
    deadline = START + options.seconds
    seeds = list(range(options.seeds))
    results = Results(options.output)
    data = load(options.tiny)
    log(f"{jax.devices()[0].device_kind}; data loaded")
    jobs = []
    capstone_names: list[str] = []
    with_lessons = False
    for each in options.measurements:
        kind, _, names = each.partition("=")
        if kind == "lessons":
            with_lessons = True
        elif kind == "capstone":
            known = [configuration.name for configuration in capstone.CONFIGURATIONS]
            capstone_names += known if names == "all" else names.split("|")
        else:
            every = list(networks.EXPERIMENTS)
            for name in every if names == "all" else names.split(","):
                count = len(data["training"][0])
                jobs.append(networks.experiment(name, kind, options.epochs or 50, count))
    if jobs:
        run_jobs(jobs, experiment_splits(data), seeds, results, deadline)
    if capstone_names:
        run_capstone(capstone_names, data, seeds, results, deadline, options.epochs)
    if with_lessons:
        splits = lesson_splits(data)
        lesson_jobs = networks.lesson_jobs(len(splits["training"][0]), options.epochs)
        run_jobs(lesson_jobs, splits, seeds, results, deadline)
    log("finished")


if __name__ == "__main__":
    main()
