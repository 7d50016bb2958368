"""The documentation leads where it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page for place in (".", "docs", "bench", "contrib/prometheus") for page in ROOT.glob(f"{place}/*.md")
)


def _anchors(page: Path) -> set[str]:
    """What a link into a page may name: its headings, as GitHub writes them in an address."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_or_a_heading_that_there_is(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    for link in links:
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_every_page_of_docs_is_reached_from_the_readme() -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in seen:
            continue
        seen.add(page)
        names = re.findall(r"\]\(([^)\s#]+\.md)(?:#[^)]*)?\)", page.read_text())
        left += [(page.parent / name).resolve() for name in names]
    assert {page for page in PAGES if page.parent == ROOT / "docs"} <= seen


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/reliability.md"])
def test_every_test_behind_a_promise_is_there(page: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / page).read_text())
    assert len(named) > 40
    for path, name in named:
        text = (ROOT / path).read_text()
        assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{path}::{name}"


def test_every_promise_has_a_test_or_says_that_it_has_none() -> None:
    rows = re.findall(r"^\| (.*) \| (.*) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
    promises = [(promise, test) for promise, test in rows if promise != "promised"]
    assert len(promises) > 30
    for promise, test in promises:
        assert "`tests/" in test or test.endswith("; no test"), promise


def test_every_fault_has_a_test_and_says_how_it_is_brought_about_and_what_was_seen() -> None:
    rows = re.findall(r"^\| (.*) \|$", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE)
    faults = [row.split(" | ") for row in rows[1:]]
    assert len(faults) > 20
    for fault in faults:
        assert len(fault) == 5, fault
        assert all(fault), fault
        assert "`tests/" in fault[-1], fault


VAGUE = ("told", "seat", "picture", "hand_back", "begin_brief", "give_birth")


def test_no_word_of_the_program_stands_for_many_things() -> None:
    """Each of these has been a name or a verb for half a dozen things."""
    package = ROOT / "tcptop_rtt"
    for path in (
        *package.rglob("*.py"),
        *package.rglob("*.h"),
        *package.rglob("*.c"),
        *package.rglob("*.tcss"),
    ):
        found = re.findall(rf"\b({'|'.join(VAGUE)})\b", path.read_text())
        assert not found, f"{path.name}: {found}"
