#!/bin/sh
# Installs what is missing into venv/, beside this file, without a network, and starts the
# measurements:  sh run.sh [ARGUMENTS OF python -m tests.benchmarks.gpu]
#
# PYTHON names the interpreter whose JAX supports the GPU (default: python3). The wheels are for
# PYTHON_VERSION. The data are in COURSE_DATA_DIR, or in data/ beside this file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
machine=${PYTHON:-python3}
python=$here/venv/bin/python
export COURSE_DATA_DIR="${COURSE_DATA_DIR:-$here/data}"
export PYTHONPATH="$here/project"

found=$("$machine" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$found" != PYTHON_VERSION ]; then
    echo "run.sh: $machine is Python $found, but the wheels are for PYTHON_VERSION: set PYTHON." >&2
    exit 1
fi
case " $* " in
*" --tiny "*) ;;
*)
    for name in cifar10.npz mnist.npz; do
        if [ ! -f "$COURSE_DATA_DIR/$name" ]; then
            echo "run.sh: there is no $COURSE_DATA_DIR/$name: unpack data.tar.gz beside run.sh." >&2
            exit 1
        fi
    done
    ;;
esac
if [ ! -f "$here/venv/complete" ]; then
    # pip is that of the machine: not every Python can install one into a virtual environment.
    "$machine" -m venv --clear --without-pip --system-site-packages "$here/venv"
    # If the interpreter is itself that of a virtual environment, its packages are needed too.
    "$machine" -c 'import sys; print(*(p for p in sys.path if p.endswith("-packages")), sep="\n")' \
        >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/machine.pth"
    "$python" -m pip install --quiet --no-index --find-links "$here/wheels" \
        --requirement "$here/requirements.txt" "$here/project"
    touch "$here/venv/complete"
fi
exec "$python" -m tests.benchmarks.gpu "$@"
