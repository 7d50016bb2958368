"""The command, and ``python -m tcptop_rtt``."""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an import would turn it into a traceback

from tcptop_rtt.cli import main

if __name__ == "__main__":
    sys.exit(main())
