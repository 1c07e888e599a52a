"""Trainings of the fast network in `capstone.py`, as measurements of the plan."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from tests.benchmarks.gpu.capstone import CONFIGURATIONS, Configuration, Trainer
from tests.benchmarks.gpu.data import TINY, load
from tests.benchmarks.gpu.plan import Measurement, Part, log

SECONDS_PER_EPOCH = 0.5  # of the widest network; estimated for an H100


class CapstonePart(Part):
    """Configurations of the fast network; those with the same network are compiled once."""

    preparation_seconds = 100.0

    def __init__(
        self, names: list[str], seeds: list[int], tiny: bool, epochs: int | None = None
    ) -> None:
        """`names` are those of configurations; `epochs` replaces their number of epochs."""
        self._tiny = tiny
        self._trainers: dict[tuple, Trainer] = {}
        known = {each.name: each for each in CONFIGURATIONS}
        changes: dict[str, Any] = {"epochs": epochs} if epochs else {}
        if tiny:
            changes |= {"batch_size": TINY // 4, "widths": (8, 16, 16)}
        measurements = []
        for name in names:
            configuration = replace(known[name], **changes)
            title = f"capstone {name}" + (f", {epochs} epochs instead" if epochs else "")
            seconds = 3 + SECONDS_PER_EPOCH * configuration.epochs
            measurements += [
                Measurement(f"{title}, seed {seed}", seconds, (configuration, seed))
                for seed in seeds
            ]
        super().__init__(measurements)

    def prepare(self, chosen: list[Measurement]) -> None:
        """Compile the networks side by side, and do one epoch with each."""
        on_device = jax.tree.map(jnp.asarray, load(self._tiny))
        first: dict[tuple, Configuration] = {}
        for each in chosen:
            configuration, _ = each.subject
            first.setdefault(configuration.network, configuration)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = []
            for network, configuration in first.items():
                trainer = self._trainers[network] = Trainer(configuration, on_device)
                compiled.append(pool.submit(trainer.compile))
            for each in compiled:
                each.result()
        log(f"{len(first)} networks of the capstone compiled")
        for network, configuration in first.items():  # the first run of a program loads its kernels
            self._trainers[network].train(replace(configuration, epochs=1), 0)

    def measure(self, measurement: Measurement, deadline: float) -> list[dict[str, Any]]:
        """Train once."""
        configuration, seed = measurement.subject
        return [
            {"kind": "capstone"} | self._trainers[configuration.network].train(configuration, seed)
        ]
