"""What a widget leaves behind where no widget can be: a picture and a line of text."""

from __future__ import annotations

from typing import Any

import anywidget


class StoredWidget(anywidget.AnyWidget):
    """A widget that a stored notebook (on GitHub, or not trusted) shows as a still picture and its ``repr``."""

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, extra = made if isinstance(made, tuple) else (made, {})
        if bundle is None:
            return made
        bundle = {**bundle, "text/plain": repr(self)}
        still = self._still()
        if still is not None:
            bundle["image/png"] = still
        return bundle, extra

    def _still(self) -> str | bytes | None:
        """The picture as PNG; None where none can be drawn."""
        raise NotImplementedError
