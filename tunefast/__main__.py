"""``python -m tunefast`` is the command `tunefast`."""

from tunefast.cli.app import main

main()
