"""Requests to Colab's page."""

import json
import os
import time
from pathlib import Path


def blocking_request(request_type, request="", timeout_sec=5, parent=None):
    """Return the page's answer; on Kaggle, which has the module but no such page, there is none."""
    page = Path(os.environ.get("COLAB_PAGE", ""))
    if request_type != "get_ipynb" or not page.is_file():
        time.sleep(timeout_sec or 0)
        raise TimeoutError
    return {"ipynb": json.loads(page.read_text(encoding="utf-8"))}
