"""``python -m livepose``."""

import sys

from livepose.cli import main

sys.exit(main())
