"""The notebooks on each platform that students use, with the packages of that platform.

`make platforms` runs every platform in `platforms.toml`. For each of them:

1. A virtual environment receives the platform's packages.
2. The install cell of a notebook installs the published package from a local git repository.
3. Every solved notebook runs in the smoke profile, in a kernel with the platform's variables, to
   its last cell, which packs the submission.
4. The instructor's environment collects and grades what the students upload.

A platform fails if a notebook shows an error or red text, if the installation changes other
packages than the table says, or if a correct answer loses points.
"""
