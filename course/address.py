"""Where students find the course: the one constant that badges and install cells are made from.

Set ADDRESS to the public repository that `release/` is published in. Until then it holds an
underscore, which no account name on GitHub may, so that no stranger can register it.
"""

ADDRESS = "https://github.com/YOUR_ORGANISATION/building-cnns-with-keras"
BRANCH = "main"


def is_set():
    """Return whether ADDRESS is an address, and no longer the placeholder."""
    return "YOUR_ORGANISATION" not in ADDRESS


def fill_in(text, notebook_path):
    """Replace the address placeholders of a source notebook.

    Parameters
    ----------
    text : str
        The source of a cell. `{{INSTALL}}` becomes what pip installs, `{{COLAB}}` and
        `{{PAPERSPACE}}` the addresses that open this notebook there.
    notebook_path : str
        Path of the notebook in the public repository, such as "release/02-mnist/mnist.ipynb".

    Returns
    -------
    str
        The text with every placeholder replaced.
    """
    on_github = ADDRESS.removeprefix("https://github.com/")
    file_on_github = f"github/{on_github}/blob/{BRANCH}/{notebook_path}"
    values = {
        "{{INSTALL}}": f"cnn-course @ git+{ADDRESS}",
        "{{COLAB}}": f"https://colab.research.google.com/{file_on_github}",
        "{{PAPERSPACE}}": f"https://console.paperspace.com/{file_on_github}",
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text
