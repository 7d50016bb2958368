"""All tables except that of connections, in the order in which the user steps through them."""

from __future__ import annotations

from tcptop_rtt.view.group_fields import TABLES
from tcptop_rtt.view.listener_list import LISTENERS
from tcptop_rtt.view.listing import Kind, groups
from tcptop_rtt.view.target_list import TARGETS

KINDS: tuple[Kind, ...] = (*map(groups, TABLES), LISTENERS, TARGETS)
