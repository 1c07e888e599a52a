"""The `course` command: one module per subcommand.

The modules import slow libraries inside their functions, so that `course --help` responds at once.
"""
