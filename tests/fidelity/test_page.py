"""The page about what is modelled and what is not is the one that the tables give."""

from __future__ import annotations

import re

from simulator.fidelity import SYSTEMS, fidelity_of
from tools.fidelity import PAGE, page


def test_the_stored_page_is_the_one_that_the_tables_give():
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/fidelity.md is stale: run `make fidelity`"


def test_every_row_stands_on_the_page_with_its_tests():
    sections = page().split("\n## ")[1:]

    for name, section in zip(SYSTEMS, sections, strict=True):
        for row in fidelity_of(name).mechanisms:
            (line,) = [line for line in section.splitlines() if line.startswith(f"| **{row.name}** |")]
            assert row.sentence() in line
            assert line.count("](../tests/") == len(row.tests)


def test_every_link_of_the_page_leads_somewhere():
    text = page()
    headings = {
        re.sub(r"[^\w-]", "", line[3:].lower().replace(" ", "-")) for line in text.splitlines() if line.startswith("## ")
    }
    links = set(re.findall(r"\]\(([^)]+)\)", text))

    missing = [
        link for link in links if not (link[1:] in headings if link.startswith("#") else (PAGE.parent / link).is_file())
    ]

    assert links
    assert missing == []
