"""How fast the replay steps and plays in a real browser: `python -m benchmarks.replay`. Needs Chromium and playwright."""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from simulator.brokers.log.topic import Topic
from simulator.clients.consumer import Consumer
from simulator.clients.producer import Producer
from simulator.engine import run
from simulator.network import Drop, Link
from simulator.scenario import Scenario
from simulator.views.page import write_page
from simulator.views.replay_data import replay_data

STEPS = 2_000

MEASURE = """async steps => {
  const theatre = document.querySelector('.eda-theatre'), slider = document.querySelector('.eda-slider');
  const protocol = document.querySelector('.eda-check input');
  protocol.click();
  const timed = act => {
    const begin = performance.now();
    act();
    theatre.getBoundingClientRect();
    return performance.now() - begin;
  };
  const press = key => timed(() => theatre.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true})));
  const forwards = [], back = [], jumps = [];
  for (let at = 0; at < 300; at += 1) forwards.push(press('ArrowRight'));
  for (let at = 0; at < 300; at += 1) back.push(press('ArrowLeft'));
  for (let at = 0; at < 60; at += 1) {
    jumps.push(timed(() => { slider.value = at * 7919 % steps; slider.dispatchEvent(new Event('input')); }));
  }
  press('Home');
  document.querySelector('.eda-tools select').value = 2;
  document.querySelector('.eda-tools select').dispatchEvent(new Event('change'));
  press(' ');
  const frames = [];
  let before = performance.now();
  const end = before + 5000;
  while (before < end) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - before);
    before = now;
  }
  press(' ');
  return {forwards, back, jumps, frames, reached: Number(document.querySelector('.eda-say').dataset.step)};
}"""


def busy() -> Scenario:
    """Enough going on at once: two producers, three groups, losses."""
    groups = ("billing", "email", "shipping")
    return Scenario(
        nodes=[
            Producer("shop", every=20),
            Producer("app", every=35, keys=["customer-1", "customer-2", "customer-3"]),
            Topic("orders", partitions=4),
            *(Consumer(group, work=15 + 5 * place) for place, group in enumerate(groups)),
        ],
        links=[
            Link("shop", "orders", latency=8),
            Link("app", "orders", latency=12),
            *(Link("orders", group, latency=6) for group in groups),
        ],
        faults=[Drop("shop", "orders", probability=0.1)],
        duration=2_000,
        name="busy",
    )


def main() -> None:
    trace = run(busy(), seed=1)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = write_page(trace, Path(folder) / "busy.html", last=STEPS - 1)
        size = len(json.dumps(replay_data(trace, last=STEPS - 1), separators=(",", ":")))
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(page_file.as_uri())
        found = page.evaluate(MEASURE, STEPS)
        browser.close()
    print(f"{STEPS:,} steps, {size / 1024:,.0f} KB sent once")
    for name in ("forwards", "back", "jumps"):
        each = sorted(found[name])
        print(f"{name:9} median {statistics.median(each):5.1f} ms, 99th percentile {each[int(len(each) * 0.99)]:5.1f} ms")
    frames = sorted(found["frames"])
    print(
        f"playing   {1000 * len(frames) / sum(frames):5.1f} frames a second, 99th percentile "
        f"{frames[int(len(frames) * 0.99)]:.1f} ms a frame, to step {found['reached']} in 5 s"
    )


if __name__ == "__main__":
    main()
