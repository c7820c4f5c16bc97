"""The browser tests' fixtures: `lab` is a real JupyterLab, `bare_page` a widget with no kernel; and `axe`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.barekit import BarePage
from tests.browser.labkit import CHROMIUM_ARGUMENTS, HOW_TO_INSTALL, Lab, Server, find_chromium, running_lab

HERE = Path(__file__).parent
SCREENSHOTS = HERE.parents[1] / "test-results"
OUTCOME = pytest.StashKey[pytest.TestReport]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Keep the test's own outcome where its fixtures' tear-down finds it."""
    report = yield
    if report.when == "call":
        item.stash[OUTCOME] = report
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests; without one they skip with the remedy, under CI they fail."""
    chromium = find_chromium()
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail(HOW_TO_INSTALL, pytrace=False)
        pytest.skip(HOW_TO_INSTALL)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS, headless=True)
        yield running
        running.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One JupyterLab for all tests, serving an empty folder: `server.root`."""
    with running_lab(tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def lab(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """JupyterLab in a fresh page. Fails a test whose page left the machine or threw an uncaught error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(20_000)
    lab = Lab(page, server)
    lab.start()
    yield lab
    # Taken before the page closes, which may raise errors of its own.
    outside, errors = list(lab.outside), list(lab.errors)
    keep_picture_of_failure(page, request.node)
    context.close()
    server.end_kernels()
    assert not outside, "the page asked for addresses outside this machine"
    assert not errors, "the page threw an uncaught error"


@pytest.fixture
def bare_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BarePage]:
    """An empty page for one widget. Fails a test whose page asked for anything or threw an uncaught error."""
    context = browser.new_context(viewport={"width": 1000, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(5_000)
    bare = BarePage(page)
    yield bare
    outside, errors = list(bare.outside), list(bare.errors)
    keep_picture_of_failure(page, request.node)
    context.close()
    assert not outside, "a bare page must need nothing from outside"
    assert not errors, "the widget threw an uncaught error"


@pytest.fixture(scope="session")
def axe() -> Callable[[Page, str], list[str]]:
    """`axe(page, selector)`: the serious and critical accessibility violations in what the selector finds.

    One line each, with the offending elements. A selector that finds nothing is an error, not a clean page.
    """
    code = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

    def violations(page: Page, selector: str) -> list[str]:
        if not page.evaluate("() => !!window.axe"):
            # Where a page has a module loader, axe would hand itself to that instead of the window.
            page.evaluate(f"() => {{ const define = undefined, module = undefined; {code} }}")
        found = page.evaluate(
            "async selector => (await axe.run(selector, {resultTypes: ['violations']})).violations", selector
        )
        return [
            f"{rule['id']}: {rule['help']}: {', '.join(node['html'] for node in rule['nodes'])}"
            for rule in found
            if rule["impact"] in {"serious", "critical"}
        ]

    return violations


def keep_picture_of_failure(page: Page, item: pytest.Item) -> None:
    """Leave a screenshot of a failed test in `test-results/`."""
    report = item.stash.get(OUTCOME, None)
    if report is not None and report.failed:
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{item.name}.png")
