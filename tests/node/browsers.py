"""A headless Chromium, the one that is installed, watched while it opens a link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000


def chromium() -> str:
    """Where it is; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian's chromium)")
    return CHROMIUM


@dataclass
class Watched:
    """A page, and what it did that it should not."""

    page: Page
    allowed: str
    faults: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    def watch(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda line: self._said(line.type, line.text))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.faults.append(text)

    @property
    def elsewhere(self) -> list[str]:
        """Requests that left the node's page."""
        return [
            url
            for url in self.requests
            if not url.startswith("blob:") and urlsplit(url).netloc != self.allowed
        ]

    async def open(self, url: str) -> None:
        await self.page.goto(url)

    async def receive(self) -> None:
        """Press the button, and wait until all is there."""
        await self.page.click("#open", timeout=PATIENCE_MS)
        await self.done()

    async def done(self) -> None:
        await self.page.wait_for_selector("body[data-done=yes]", timeout=PATIENCE_MS)

    async def trouble(self) -> tuple[str, str]:
        """The code and the words of what is wrong."""
        shown = await self.page.wait_for_selector("#trouble:not([hidden])", timeout=PATIENCE_MS)
        assert shown is not None
        code = await shown.get_attribute("data-code") or ""
        return code, await shown.inner_text()

    async def trouble_at(self, act: Callable[[], Awaitable[object]]) -> tuple[str, str]:
        """What is wrong once something was done."""
        await act()
        return await self.trouble()

    async def save(self, label: str) -> bytes:
        """What a click on a button or link saves."""
        async with self.page.expect_download(timeout=PATIENCE_MS) as waiting:
            await self.page.get_by_text(label, exact=True).click()
        download = await waiting.value
        path = Path(await download.path())
        return await asyncio.to_thread(path.read_bytes)


@contextlib.asynccontextmanager
async def browsing(program: Path | None = None) -> AsyncGenerator[Browser]:
    """A browser, without a profile; `program` starts it otherwise, say in another network."""
    path = str(program or chromium())
    # Chromium's own sandbox does not run as root, as CI does.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


async def new_page(context: Browser | BrowserContext, url: str) -> Watched:
    watched = Watched(await context.new_page(), urlsplit(url).netloc)
    watched.watch()
    return watched
