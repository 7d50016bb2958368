"""Sentences, to be read at a glance, on what bad connections have in common."""

from __future__ import annotations

from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.common import LEAST_BAD, Common, Share
from tcptop_rtt.view.meanings import Meaning


def count(common: Common, meaning: Meaning) -> str:
    """How many connections are bad, and what that means: "31 of 700 connections have a WHY"."""
    return f"{common.bad:,} of {common.total:,} {meaning.among} {meaning.means()}"


def sentence(share: Share, common: Common, meaning: Meaning) -> tuple[str, str]:
    """How many bad ones share it, and of all: "27 of 31 slow ones go to 10.2.7.0/24", "; 4% of all do"."""
    said = share.said
    first = f"{share.shared:,} of {common.bad:,} {meaning.ones} {said.does}"
    if 2 * common.bad <= common.total:
        part, whole, of = share.members, share.known, "all"
    else:  # most of all connections are bad
        part, whole, of = share.members - share.shared, share.known - share.bad_known, "the others"
    percent = fmt.percent(part, whole) if part else "none"
    unknown = common.bad - share.bad_known
    return first, f"; {percent} of {of} {said.do}" + (f" (not known of {unknown:,})" if unknown else "")


def nothing(common: Common) -> str:
    """Why nothing is listed."""
    counted = f"{common.bad:,} of {common.total:,}"
    if not common.bad:
        return f"nothing to compare: it is true of none of {common.total:,}"
    if common.bad == common.total:
        return f"nothing to compare with: it is true of all {common.total:,}"
    if common.bad < LEAST_BAD:
        return f"too few to compare: {counted}"
    return f"nothing in particular: what these {counted} share, the others share, too"
