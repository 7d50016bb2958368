"""What is under guest/ runs inside the lab only."""

from __future__ import annotations

import os

collect_ignore = [] if os.uname().nodename == "tcptop-rtt-lab" else ["guest"]
