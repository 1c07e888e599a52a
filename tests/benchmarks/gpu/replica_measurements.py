"""Trainings of several replicas side by side, one per seed, as measurements of the plan."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp

from tests.benchmarks.gpu.data import load
from tests.benchmarks.gpu.plan import Measurement, OutOfTimeError, Part, log
from tests.benchmarks.gpu.replicas import Job, Replicas, compute_policy

# Estimated for an H100 with five seeds and 50 epochs; the plain configuration takes more steps.
SECONDS = {"I": 60, "II": 54, "III": 54, "IV": 67, "V": 54, "VI": 70, "VII": 100}
OTHER_SECONDS = 60
PLAIN_FACTOR = 1.3


class ReplicaPart(Part):
    """Trainings that are compiled side by side and done one after another."""

    preparation_seconds = 60.0

    def __init__(
        self, jobs: list[Job], seeds: list[int], split: Callable[[dict], dict], tiny: bool
    ) -> None:
        """`split` returns the splits for these jobs, given the whole dataset."""
        self._seeds, self._split, self._tiny = seeds, split, tiny
        self._compiled: dict[Job, Replicas] = {}
        measurements = [Measurement(self._name(job), self._estimate(job), job) for job in jobs]
        super().__init__(list({each.name: each for each in measurements}.values()))

    def _name(self, job: Job) -> str:
        """Return a name that contains all that options of the command can change."""
        return f"{job.configuration}, {job.network}, {job.epochs} epochs, {len(self._seeds)} seeds"

    def _estimate(self, job: Job) -> float:
        """Return the estimated seconds of a training."""
        seconds = SECONDS.get(job.network, OTHER_SECONDS) * job.epochs / 50
        # Fewer replicas do not keep the GPU as busy.
        seconds *= max(0.4, len(self._seeds) / 5)
        return seconds * (PLAIN_FACTOR if job.configuration == "plain" else 1)

    def prepare(self, chosen: list[Measurement]) -> None:
        """Compile the jobs side by side, and copy the images to the device."""
        splits = self._split(load(self._tiny))
        shapes = jax.tree.map(lambda each: jax.ShapeDtypeStruct(each.shape, each.dtype), splits)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = []
            for each in chosen:
                replicas = self._compiled[each.subject] = Replicas(each.subject, self._seeds)
                replicas.lower(shapes)
                compiled.append(pool.submit(replicas.compile))
            # Trainings that run while others are compiled would disturb the choice of algorithms.
            for each in compiled:
                each.result()
        log(f"{len(chosen)} trainings of {len(self._seeds)} seeds compiled")
        self._on_device = jax.tree.map(jnp.asarray, splits)

    def measure(self, measurement: Measurement, deadline: float) -> list[dict[str, Any]]:
        """Train all replicas; a training that does not end in time is left out."""
        job = measurement.subject
        replicas = self._compiled.pop(job)  # afterwards, its memory is free
        found = replicas.train(self._on_device, deadline)
        if found["epochs"] < job.epochs:
            raise OutOfTimeError(
                f"ended after {found['epochs']} of {job.epochs} epochs: no time left"
            )
        curves = found["curves"]
        shown = [
            f"{100 * curves[key][-1].mean():.2f} ± {100 * curves[key][-1].std():.2f}"
            for key in ("training_accuracy", "validation_accuracy", "test_accuracy")
        ]
        log(f"{job.configuration}, {job.network}: {' / '.join(shown)}")
        return [
            {
                "kind": "replica",
                "network": job.network,
                "configuration": job.configuration,
                "seed": seed,
                "batch_size": job.batch_size,
                "epochs": found["epochs"],
                "parameters": replicas.parameters,
                "dtype": job.dtype or compute_policy(),
                "seconds_to_compile": round(replicas.seconds_to_compile, 1),
                "seconds_of_all_seeds": round(found["seconds"], 2),
                "curves": {
                    name: [round(float(each), 4) for each in values[:, index]]
                    for name, values in curves.items()
                },
            }
            for index, seed in enumerate(self._seeds)
        ]
