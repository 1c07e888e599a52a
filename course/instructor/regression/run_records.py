"""Records of a headless run of a solution notebook and of the job that produces the run."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from course.recorded_metrics import kind_of_value

PEAK_MEMORY = "peak_memory_mb"  # a metric that the run adds to the notebook's metrics
MEMORY = "memory"  # the kind of that metric


@dataclass
class NotebookRun:
    """One headless run of a solution notebook; saved as metrics.json."""

    assignment: str
    profile: str
    backend: str
    seed: int
    extra_parameters: dict[str, Any] = field(default_factory=dict)  # injected with profile and seed
    seconds: float = 0.0  # wall time, including the kernel start
    error: str | None = None  # one sentence that names the failed cell
    metrics: dict[str, Any] = field(default_factory=dict)  # recorded values by name
    kinds: dict[str, str] = field(default_factory=dict)  # the kind of each metric
    curves: dict[str, dict[str, list]] = field(default_factory=dict)  # training histories by name
    device: str = ""  # "CPU", "GPU", or "" if the notebook recorded no metrics
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    data: str = ""  # the data files that were used
    digest: str = ""  # of the notebook, imported code, versions, and parameters
    finished: str = ""  # ISO 8601
    notebook: str = ""  # path of the executed notebook

    @property
    def setting(self) -> str:
        """The profile and every extra parameter: each setting has its own bands."""
        return " ".join([self.profile, *self._assignments()])

    @property
    def folder_name(self) -> str:
        """The name of the run's folder in the folder of its assignment."""
        parts = [self.profile, f"seed{self.seed}", self.backend, *self._assignments()]
        return re.sub(r"[^\w.=-]+", "_", "-".join(parts))[:120]

    def _assignments(self) -> list[str]:
        """Return the extra parameters as NAME=VALUE."""
        return [f"{name}={value}" for name, value in self.extra_parameters.items()]

    def kind_of(self, metric: str) -> str:
        """Return the kind of a metric; without a recorded kind, the one that its value implies."""
        return self.kinds.get(metric) or kind_of_value(self.metrics.get(metric))


@dataclass(frozen=True)
class RunJob:
    """A run to execute, which can be sent to another machine."""

    run: NotebookRun  # without its results
    source: str  # path of the source notebook
    text: str  # the notebook's content, for a machine that does not have the file
    folder: str  # where the run writes its files; "" means a temporary folder
    threads: int | None = None  # per thread pool; if None, the backend decides
    runs_per_gpu: int = 1
    variables: tuple[tuple[str, str], ...] = ()  # of the kernel's environment

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that are injected into the notebook."""
        return {"profile": self.run.profile, "seed": self.run.seed} | self.run.extra_parameters

    @property
    def code_cells(self) -> int:
        """The number of cells to execute, including the injected cell."""
        cells = json.loads(self.text)["cells"]
        return 1 + sum(cell["cell_type"] == "code" for cell in cells)
