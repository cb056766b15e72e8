"""Drop links in a real browser: what it sends, how often, and what it tells the person."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from kinlight.node.views_drops import DropLink
from kinlight.node.weblinks import Place
from playwright.async_api import Browser

from .browsers import PATIENCE_MS, Watched, browsing, new_page
from .conftest import Start
from .nodes import TestedNode, random_bytes
from .photographs import photograph
from .test_weblinks_browser import lan

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


@pytest.fixture
async def browser() -> AsyncGenerator[Browser]:
    async with browsing() as browser:
        yield browser


async def opened(
    node: TestedNode, browser: Browser, *, accept: str = "always", host: str = "127.0.0.1"
) -> tuple[DropLink, Watched]:
    link = await node.engine.drops.new("Oma", accept, Place(host, secure=False))
    watched = await new_page(browser, link.url or "")
    await watched.open(link.url or "")
    await watched.page.wait_for_selector("#choose:not([hidden])", timeout=PATIENCE_MS)
    return link, watched


async def over(watched: Watched, count: int) -> None:
    """Until so many photos are settled."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while int(await watched.page.get_attribute("body", "data-over") or 0) < count:
            await watched.page.wait_for_timeout(20)


@pytest.mark.parametrize(
    "count",
    [16, pytest.param(300, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])],
)
async def test_many_photos_interrupted_twice_are_there_once_each(
    anna: TestedNode, browser: Browser, tmp_path: Path, count: int
) -> None:
    files = [tmp_path / f"IMG_{number:04}.jpg" for number in range(count)]
    for file in files:
        file.write_bytes(random_bytes(file.name, 60_000))
    _, page = await opened(anna, browser)
    await page.page.set_input_files("#photos-in", files)
    await over(page, count // 4)
    await page.page.reload()  # the browser kept what was chosen
    await over(page, count // 4)
    await anna.restart()  # and the page comes back by itself
    await page.page.wait_for_selector("body[data-done=yes]", timeout=PATIENCE_MS)
    stored = [item for item in anna.engine.inbox() if item.state == "stored"]
    assert sorted((item.name, item.sha256) for item in stored) == sorted(
        (file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files
    )
    assert anna.parts.database.value("SELECT count(*) FROM photos") == count
    assert list(anna.home.dropped.iterdir()) == []
    assert page.faults == []
    assert page.elsewhere == []
    assert await page.page.context.cookies() == []
    # Chosen again, none is sent again.
    again = await new_page(browser, page.page.url)
    await again.open(page.page.url)
    await again.page.wait_for_selector("#choose:not([hidden])", timeout=PATIENCE_MS)
    await again.page.set_input_files("#files-in", files[:5])
    await again.page.get_by_text("5 of 5 there, 5 of them already before").wait_for(
        timeout=PATIENCE_MS
    )


async def test_what_the_browser_left_out_and_what_the_owner_decides_is_shown(
    anna: TestedNode, browser: Browser, tmp_path: Path
) -> None:
    taken = "2026:07:14 09:30:00"
    whole = photograph(tmp_path / "whole.jpg", taken=taken, position=(48.1, 11.5))
    dated = photograph(tmp_path / "dated.jpg", taken=taken)
    apple = photograph(tmp_path / "IMG_0001.jpeg", taken=taken, camera=("Apple", "iPhone"))
    renamed = tmp_path / "IMG_2.HEIC"
    renamed.write_bytes(photograph(tmp_path / "bare.jpg").read_bytes())
    names = [whole, dated, apple, renamed]
    # On a plain page of the local network: all of it without WebCrypto.
    _, page = await opened(anna, browser, accept="ask", host=lan())
    assert not await page.page.evaluate("isSecureContext")
    assert await page.page.locator("link[rel=manifest]").count() == 0
    await page.page.set_input_files("#photos-in", names)
    rows = {path.name: page.page.locator("#photos li", has_text=path.name) for path in names}
    await page.page.get_by_text("4 wait until they are accepted").wait_for(timeout=PATIENCE_MS)
    told = {name: await row.inner_text() for name, row in rows.items()}
    assert "with its date and place" in told["whole.jpg"]
    assert "with its date, without the place" in told["dated.jpg"]
    assert "probably converted from HEIC" in told["IMG_0001.jpeg"]
    assert "converted from HEIC by the browser" in told["IMG_2.HEIC"]
    assert "3 of 4 came to this page without the place" in await page.page.inner_text("#changed")
    assert "came unencrypted" in await page.page.inner_text("#transport")
    assert anna.parts.database.value("SELECT count(*) FROM photos") == 0
    waiting = {item.name: item for item in anna.engine.inbox()}
    anna.engine.decide(waiting["dated.jpg"].id, accept=False)
    await rows["dated.jpg"].get_by_text("not wanted there").wait_for(timeout=PATIENCE_MS)
    anna.engine.drops.decide_all("Oma", accept=True)
    await page.page.wait_for_selector("body[data-done=yes]", timeout=PATIENCE_MS)
    assert anna.parts.database.value("SELECT count(*) FROM photos") == 3
    anna.engine.drops.revoke("Oma")
    code, words = await page.trouble_at(lambda: page.page.reload())
    assert (code, "taken back" in words) == ("link-revoked", True)
    assert page.faults == []


async def test_on_a_secure_page_it_can_be_kept_as_an_app(
    anna: TestedNode, browser: Browser
) -> None:
    link, page = await opened(anna, browser)
    devtools: Any = await page.page.context.new_cdp_session(page.page)
    manifest: dict[str, Any] = await devtools.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert link.url in manifest["data"]  # with its key, which the node is never sent
    scope = await page.page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => scope)")
    assert scope == (link.url or "").split("#")[0]
    assert page.faults == []
    assert page.elsewhere == []
