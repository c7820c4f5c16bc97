"""Settings that bear a real system's name have its default."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from simulator import Consumer, Node, Producer
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

DEFAULTS = recorded("kafka_defaults")


@pytest.mark.parametrize(("node", "settings"), [(Producer, DEFAULTS["producer"]), (Consumer, DEFAULTS["consumer"])])
def test_settings_have_kafkas_names_and_defaults(node: type[Node], settings: dict[str, str]):
    ours: dict[str, Any] = {field.name: field.default for field in attrs.fields(node)}

    for name, default in settings.items():
        mine = ours[name.replace(".", "_")]
        assert mine == (default if isinstance(mine, str) else float(default)), name
