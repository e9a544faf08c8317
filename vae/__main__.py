"""`python -m vae`: see `vae.cli`."""

import sys

from vae.cli import main

if __name__ == "__main__":  # a process that is spawned by this one imports the module again
    sys.exit(main())
