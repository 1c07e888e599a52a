"""The public address of a course, to which badges and install cells point."""

from pathlib import Path

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
        repository = self.url.removeprefix("https://github.com/")
        file_on_github = f"github/{repository}/blob/{self.branch}/{notebook_path}"
        values = {
            "{{INSTALL}}": f"cnn-course @ git+{self.url}",
            "{{COLAB}}": f"https://colab.research.google.com/{file_on_github}",
            "{{PAPERSPACE}}": f"https://console.paperspace.com/{file_on_github}",
        }
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        return text
