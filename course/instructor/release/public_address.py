"""The public address of a course, to which badges and install cells point."""

from pathlib import Path
from urllib.parse import quote

from traitlets import Unicode
from traitlets.config import Configurable

from course.instructor.course_dir import load_config

PLACEHOLDER = "YOUR_ORGANIZATION"
REQUIREMENT = "cnn-course @"  # how the pip requirement in an install cell begins
GITHUB = "https://github.com/"


class PublicAddress(Configurable):
    """The public repository in which `release/` is published, as set in nbgrader_config.py."""

    url = Unicode(help="URL of the public repository, without a trailing slash.").tag(config=True)
    branch = Unicode("main", help="Branch that badges open.").tag(config=True)
    paperspace_container = Unicode(
        "paperspace/gradient-base:pt211-tf215-cudatk120-py311-20240202",
        help="Container in which the badge opens a notebook on Paperspace; its default container"
        " has Python 3.9.",
    ).tag(config=True)

    @classmethod
    def of_course(cls, root: Path) -> "PublicAddress":
        """Return the public address that a course directory's configuration sets."""
        return cls(config=load_config(root))

    @property
    def is_set(self) -> bool:
        """True if the address is set and is not the placeholder."""
        return bool(self.url) and PLACEHOLDER not in self.url

    @property
    def binder(self) -> str:
        """The address that opens the public repository on Binder, in JupyterLab."""
        return f"https://mybinder.org/v2/gh/{self._repository}/{self.branch}?urlpath=lab/tree/release"

    @property
    def _repository(self) -> str:
        """The name of the repository on GitHub, such as "some-school/cnns"."""
        return self.url.removeprefix(GITHUB)

    def fill_in(self, text: str, notebook_path: str) -> str:
        """Replace the placeholders in a cell of the notebook that has this path in the repository.

        `{{INSTALL}}` becomes the pip requirement; `{{COLAB}}` and `{{PAPERSPACE}}` become the
        addresses that open the notebook on these platforms.
        """
        launch = self.launch_addresses(notebook_path)
        values = {
            "{{INSTALL}}": f"{REQUIREMENT} git+{self.url}",
            "{{COLAB}}": launch["Colab"],
            "{{PAPERSPACE}}": launch["Paperspace"],
        }
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        return text

    def launch_addresses(self, notebook_path: str) -> dict[str, str]:
        """Return the address that opens a notebook of the repository on each platform, by name."""
        file = f"{self._repository}/blob/{self.branch}/{notebook_path}"
        container = f"?container={self.paperspace_container}"
        binder = f"{self._repository}/{quote(self.branch, safe='')}"
        return {
            "Colab": f"https://colab.research.google.com/github/{file}",
            "Kaggle": f"https://kaggle.com/kernels/welcome?src=https://github.com/{file}",
            "Paperspace": f"https://console.paperspace.com/github/{file}{container}",
            "Binder": f"https://mybinder.org/v2/gh/{binder}?labpath={quote(notebook_path)}",
        }
