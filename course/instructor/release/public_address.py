"""The public address of a course, to which badges and install cells point."""

from pathlib import Path
from urllib.parse import quote

from traitlets import Unicode
from traitlets.config import Configurable

from course.instructor.course_dir import load_config

PLACEHOLDER = "YOUR_ORGANIZATION"


class PublicAddress(Configurable):
    """The public repository in which `release/` is published, as set in nbgrader_config.py."""

    url = Unicode(help="URL of the public repository, without a trailing slash.").tag(config=True)
    branch = Unicode("main", help="Branch that badges open.").tag(config=True)

    @classmethod
    def of_course(cls, root: Path) -> "PublicAddress":
        """Return the public address that a course directory's configuration sets."""
        return cls(config=load_config(root))

    @property
    def is_set(self) -> bool:
        """True if the address is set and is not the placeholder."""
        return bool(self.url) and PLACEHOLDER not in self.url

    def fill_in(self, text: str, notebook_path: str) -> str:
        """Replace the placeholders in a cell of the notebook that has this path in the repository.

        `{{INSTALL}}` becomes the pip requirement; `{{COLAB}}` and `{{PAPERSPACE}}` become the
        addresses that open the notebook on these platforms.
        """
        launch = self.launch_addresses(notebook_path)
        values = {
            "{{INSTALL}}": f"cnn-course @ git+{self.url}",
            "{{COLAB}}": launch["Colab"],
            "{{PAPERSPACE}}": launch["Paperspace"],
        }
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        return text

    def launch_addresses(self, notebook_path: str) -> dict[str, str]:
        """Return the address that opens a notebook of the repository on each platform, by name."""
        repository = self.url.removeprefix("https://github.com/")
        file = f"{repository}/blob/{self.branch}/{notebook_path}"
        binder = f"{repository}/{quote(self.branch, safe='')}?labpath={quote(notebook_path)}"
        return {
            "Colab": f"https://colab.research.google.com/github/{file}",
            "Kaggle": f"https://kaggle.com/kernels/welcome?src=https://github.com/{file}",
            "Paperspace": f"https://console.paperspace.com/github/{file}",
            "Binder": f"https://mybinder.org/v2/gh/{binder}",
        }
