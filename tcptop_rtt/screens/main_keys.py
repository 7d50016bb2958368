"""The keys of the screen that the program starts with."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tcptop_rtt.screens.named import NAMES_KEY
from tcptop_rtt.screens.past import TIME_KEYS
from tcptop_rtt.screens.recorded import RECORD_KEY
from tcptop_rtt.widgets.keys import SORTING

MAIN_KEYS: tuple[BindingType, ...] = (
    Binding(
        "escape",
        "back",
        "Back",
        tooltip="From the past to now; clear the filter; from a group's connections to the groups",
        id="back-to-groups",
    ),
    Binding(
        "tab",
        "next_table(1)",
        "Groups",
        tooltip="Connections, hosts, services, processes, units, listeners, failed connects; Enter opens one",
        id="groups",
    ),
    Binding(
        "shift+tab",
        "next_table(-1)",
        "Groups before",
        False,
        tooltip="The same the other way round",
        id="groups-before",
    ),
    Binding(
        "w",
        "sort('why')",
        "Why",
        tooltip="Sort by what holds connections up, worst first",
        id="sort-why",
        group=SORTING,
    ),
    # Priority: otherwise, keys typed right after it would go to the table, before the line is open.
    Binding(
        "slash",
        "filter",
        "Filter",
        tooltip="Show only connections that match words such as nginx, rtt>50ms or port:443",
        id="filter",
        priority=True,
    ),
    *TIME_KEYS,
    Binding(
        "r",
        "sort('rtt')",
        "RTT",
        tooltip="Sort by round-trip time, slowest first",
        id="sort-rtt",
        group=SORTING,
    ),
    Binding(
        "p",
        "sort('process')",
        "Process",
        tooltip="Sort by process",
        id="sort-process",
        group=SORTING,
    ),
    Binding(
        "c",
        "common",
        "Common",
        tooltip="What the bad connections have in common: networks, ports, processes and more",
        id="common",
    ),
    Binding(
        "f",
        "toggle('follow')",
        "Follow",
        tooltip="Hold the selected connection on its line while the others move",
        id="follow",
    ),
    Binding(
        "o",
        "ask_order",
        "Sort by",
        tooltip="Sort by a column: its letter comes next",
        id="sort-by",
        group=SORTING,
    ),
    Binding(
        "s,greater_than_sign",
        "sort_next",
        "Next column",
        show=False,
        tooltip="Sort by the next column",
        id="sort-next",
    ),
    Binding(
        "less_than_sign",
        "sort_previous",
        "Previous column",
        show=False,
        tooltip="Sort by the previous column",
        id="sort-previous",
    ),
    Binding(
        "l",
        "toggle('shared_scale')",
        "Scale",
        tooltip="Draw all sparklines to one scale, or each to its own",
        id="scale",
    ),
    Binding(
        "d",
        "beside",
        "Beside",
        tooltip="Show the details of the selected connection beside the table, or hide them",
        id="beside",
    ),
    NAMES_KEY,
    RECORD_KEY,
    Binding("S", "reverse", "Reverse", tooltip="Reverse the order", id="reverse"),
    Binding("plus,equals_sign", "change_refresh(1)", "Slower", tooltip="Refresh less often", id="slower"),
    Binding("minus", "change_refresh(-1)", "Faster", tooltip="Refresh more often", id="faster"),
)
