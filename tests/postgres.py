"""A PostgreSQL server for tests, which listens only on a private socket."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path


def find_programs():
    """Return the folder with the programs of a PostgreSQL server, or None."""
    on_path = shutil.which("initdb")
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    folders += [Path(on_path).resolve().parent] if on_path else []
    return next((each for each in reversed(folders) if (each / "pg_ctl").is_file()), None)


@contextlib.contextmanager
def postgres_server(folder_of_programs):
    """Run a server while the block runs; yield its folder."""
    # Socket paths must be short, and other users cannot read pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    owner = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        names = {each.pw_name for each in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)

    def run(program, *arguments):
        command = [folder_of_programs / program, "-D", folder / "data", *arguments]
        with (folder / "output").open("a") as log:
            subprocess.run(
                command, cwd=folder, stdout=log, stderr=log, check=True, timeout=60, **owner
            )

    (folder / "output").touch(mode=0o666)
    try:
        run("initdb", "--username=teacher", "--auth=trust", "--encoding=UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "start", "--wait", "-o", options, "-l", str(folder / "log"))
        try:
            yield folder
        finally:
            run("pg_ctl", "stop", "--wait", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
