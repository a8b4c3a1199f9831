"""A visit to the pages with a real browser, and what no visit may ever see."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Browser, Page, Playwright

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
HOSTILE = """<script>document.title="taken"</script>'"&amp;<img src=x onerror="document.title='taken'"> {0} %s"""
ARABIC = "\u202eتقرير الأرباح\u202c שלום"
LONG = "W" * 1_500

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The first two for root and for machines without a screen. The others keep the browser from calling its maker.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def browser_path() -> str | None:
    """Chromium or Chrome as this machine has it; None without one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def why_not() -> str | None:
    """Why the pages cannot be looked at on this machine; None where they can."""
    if browser_path() is None:
        return "no browser. apt-get install chromium, and run again"
    driver, *_ = compute_driver_executable()
    tried = subprocess.run([driver, "--version"], capture_output=True, text=True, check=False)
    return f"Playwright's driver does not start. {tried.stderr.strip()}" if tried.returncode else None


def launch(playwright: Playwright) -> Browser:
    """A headless browser with a new, empty profile."""
    return playwright.chromium.launch(executable_path=browser_path(), headless=True, args=_FLAGS)


@dataclass
class Visit:
    """One page in a browser context of its own. `complaints`: what its console said, errors of its scripts, refused policies.
    `hosts`: whom it asked for anything."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    @classmethod
    def begin(cls, browser: Browser, viewport: dict[str, int], scheme: str) -> Visit:
        """An empty page; `scheme` is light or dark, what its user prefers."""
        context = browser.new_context(viewport=viewport, color_scheme=scheme, device_scale_factor=1)  # type: ignore[arg-type]
        visit = cls(context.new_page())
        visit.page.on("console", lambda message: visit.complaints.append(f"{message.type}: {message.text}"))
        visit.page.on("pageerror", lambda error: visit.complaints.append(f"script: {error}"))
        visit.page.on("requestfailed", lambda request: visit.complaints.append(f"failed: {request.url}"))
        visit.page.on("request", lambda request: visit.hosts.add(urlsplit(request.url).netloc))
        return visit

    def end(self) -> None:
        """Close its context."""
        self.page.context.close()

    def too_wide_by(self) -> int:
        """CSS pixels that the page must be moved sideways for: 0 is as it should be."""
        return int(self.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def tab_stops(self) -> list[dict[str, Any]]:
        """What the tabulator key reaches, in its order: `name`, and whether its focus can be seen (`ring`, `visible`)."""
        stops: list[dict[str, Any]] = []
        while len(stops) < 100:
            self.page.keyboard.press("Tab")
            stop = self.page.evaluate(_FOCUSED)
            if stop is None:
                break
            stops.append(stop)
        return stops

    def faint_texts(self) -> list[str]:
        """Texts whose contrast to what is behind them is below WCAG AA's 4.5, with the ratio."""
        return [f"{ratio:.2f} {text}" for text, ratio in self.page.evaluate(_CONTRASTS) if ratio < 4.5]

    def what_injected_markup_does(self) -> dict[str, str]:
        """Put markup into the page that would set its title by a script and a colour by a style, as a hole in the escaping would."""
        return dict(self.page.evaluate(_INJECT))


_FOCUSED = """() => {
  const it = document.activeElement;
  if (!it || it === document.body) return null;
  const style = getComputedStyle(it), box = it.getBoundingClientRect();
  return {
    name: it.getAttribute("aria-label") || it.textContent,
    href: it.getAttribute("href"),
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    visible: box.width > 0 && box.height > 0 && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
  };
}"""

_CONTRASTS = """() => {
  const parts = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = it => {
    for (; it; it = it.parentElement) {
      const colour = parts(getComputedStyle(it).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), it = texts.currentNode.parentElement;
    if (!text) continue;
    const [a, b] = [light(parts(getComputedStyle(it).color)), light(behind(it))].sort((x, y) => y - x);
    found.push([text.slice(0, 40), (a + 0.05) / (b + 0.05)]);
  }
  return found;
}"""

_INJECT = """async () => {
  document.body.insertAdjacentHTML("beforeend",
    '<b id=injected style="color: rgb(1, 2, 3)">x</b><img src="/x" onerror="document.title=1"><a href="javascript:document.title=2">x</a>');
  document.body.lastElementChild.click();
  const script = document.createElement("script");
  script.textContent = "document.title = 3";
  document.body.append(script);
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const colour = getComputedStyle(document.getElementById("injected")).color;
  return {title: document.title, colour: colour === "rgb(1, 2, 3)" ? "styled" : "unstyled"};
}"""
