"""A widget's ES module in an empty page with a stand-in for the kernel's model: under a second a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_HARNESS = """async ({code, state}) => {
  const listeners = new Map();
  const tell = event => (listeners.get(event) ?? []).slice().forEach(listener => listener());
  window.model = {
    state, saves: 0, sent: [],
    get: name => window.model.state[name],
    set(name, value) {
      if (window.model.state[name] === value) return;
      window.model.state[name] = value;
      tell('change:' + name);
      tell('change');
    },
    save_changes() { this.saves += 1; },
    send(content) { this.sent.push(content); },
    on(event, listener) { listeners.set(event, [...(listeners.get(event) ?? []), listener]); },
    off(event, listener) {
      if (event === undefined || event === null) return listeners.clear();
      listeners.set(event, (listeners.get(event) ?? []).filter(kept => listener && kept !== listener));
    },
    receive(content) { (listeners.get('msg:custom') ?? []).forEach(listener => listener(content, [])); },
  };
  const module = await import(URL.createObjectURL(new Blob([code], {type: 'text/javascript'})));
  const widget = typeof module.default === 'function' ? await module.default() : module.default;
  const experimental = {invoke: () => Promise.reject(new Error('no kernel in a bare page'))};
  const signal = new AbortController().signal;
  await widget.initialize?.({model: window.model, experimental, signal});
  window.cleanUp = await widget.render({
    model: window.model, el: document.querySelector('#widget'), experimental, signal,
  });
}"""


class BarePage:
    """One empty page that can show a widget.

    Attributes:
        page: the Playwright page.
        outside: addresses the page asked for; the `bare_page` fixture fails a test that has any.
        errors: uncaught JavaScript errors; likewise.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self._note(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def show(self, module: Path | str, state: dict[str, Any], style: Path | str = "", page_style: str = "") -> None:
        """Render a widget.

        Args:
            module: the ES module's file, or its text.
            state: the synced traits by name, as JSON values.
            style: the widget's style sheet, its file or its text.
            page_style: more CSS, for a dark background or a narrow column.
        """
        css = style.read_text(encoding="utf-8") if isinstance(style, Path) else style
        code = module.read_text(encoding="utf-8") if isinstance(module, Path) else module
        self.page.set_content(
            "<!doctype html><html lang=en><head><title>A widget</title>"
            f"<style>{css}</style><style>{page_style}</style></head>"
            "<body><main id=widget class=jupyter-widgets></main></body></html>"
        )
        self.page.evaluate(_HARNESS, {"code": code, "state": state})

    def get(self, name: str) -> Any:
        """A trait's value as the widget left it."""
        return self.page.evaluate("name => window.model.state[name]", name)

    def set(self, name: str, value: object) -> None:
        """Change a trait as Python would, telling the widget."""
        self.page.evaluate("([name, value]) => window.model.set(name, value)", [name, value])

    def saves(self) -> int:
        """How often the widget has sent its changes to the kernel."""
        count: int = self.page.evaluate("() => window.model.saves")
        return count

    def sent(self) -> list[Any]:
        """The custom messages the widget has sent to the kernel."""
        messages: list[Any] = self.page.evaluate("() => window.model.sent")
        return messages

    def receive(self, content: object) -> None:
        """Deliver a custom message from the kernel."""
        self.page.evaluate("content => window.model.receive(content)", content)

    def _note(self, url: str) -> None:
        if not url.startswith(("data:", "blob:", "about:")):
            self.outside.append(url)
