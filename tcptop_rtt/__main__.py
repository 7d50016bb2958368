"""``python -m tcptop_rtt``."""

import sys

from tcptop_rtt.cli import main

sys.exit(main())
