# Image for instructors on macOS, Windows, and in Codespaces: Debian with the course. Grading works
# in it, JupyterLab and the formgrader are at http://127.0.0.1:8888, and the course directory is
# mounted. docs/instructors/container.md has the commands and explains their options.
FROM debian:bookworm-20251229-slim

# Debian 12 has the version of Python that the Makefile uses.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates git make python3.11 python3.11-venv \
    && rm -rf /var/lib/apt/lists/*

# What `make demo` installs with apt-get.
WORKDIR /course
COPY .ci .ci
RUN .ci/packages bubblewrap libseccomp2 && command -v bwrap

# As a user other than root, bubblewrap creates a user namespace and needs no capability. The numeric
# ID is the one that the first user of most Linux systems has, who owns the mounted files there.
RUN useradd --create-home --uid 1000 course && install --directory --owner course /opt/venv /data
USER course

# What `make demo` installs with pip, outside the course directory, which is mounted later.
ENV VENV=/opt/venv PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1
COPY Makefile pyproject.toml constraints.txt README.md LICENSE ./
COPY course course
RUN make /opt/venv/.instructor

# Downloads are saved in a volume.
ENV COURSE_DATA_DIR=/data KERAS_HOME=/data/keras TF_CPP_MIN_LOG_LEVEL=3
VOLUME /data
EXPOSE 8888
# From outside, only the published port can be reached, so the server listens on every address. The
# packages are those of the image, even if the mounted files are newer.
CMD ["make", "--assume-old=/opt/venv/.instructor", "formgrader", \
     "JUPYTER_FLAGS=--ip=0.0.0.0 --no-browser"]
