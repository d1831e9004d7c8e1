"""`python -m nwbridge`: the command line."""

import sys

from nwbridge.cli import main

sys.exit(main())
