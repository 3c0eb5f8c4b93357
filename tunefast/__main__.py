"""The command `tunefast`, also as ``python -m tunefast``."""

from tunefast.loading import loading

with loading():
    from tunefast.cli.app import main

if __name__ == "__main__":
    main()
