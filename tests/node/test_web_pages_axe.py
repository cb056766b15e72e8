"""The pages of links, in their states, judged by axe-core: nothing serious for who sees or hears
otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from kinlight.node.weblinks import Place
from playwright.async_api import Browser, Page

from .browsers import PATIENCE_MS, browsing
from .conftest import Start
from .photographs import photograph
from .test_weblinks import linked

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

GRAVE = ("serious", "critical")


@pytest.fixture
async def browser() -> AsyncGenerator[Browser]:
    async with browsing() as browser:
        yield browser


async def faults(page: Page) -> list[str]:
    """What axe-core finds grave in a page as it is now."""
    script = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    await page.evaluate(script)
    found: dict[str, Any] = await page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{each['id']}: {[node['html'] for node in each['nodes']]}"
        for each in found["violations"]
        if each["impact"] in GRAVE
    ]


async def test_no_page_has_a_serious_fault_in_light_or_dark_on_a_phone_or_a_desktop(
    start: Start, browser: Browser, tmp_path: Path
) -> None:
    anna = await start("Anna")
    photos = [photograph(tmp_path / f"{name}.jpg") for name in ("one", "two")]
    link = await linked(anna, *photos)
    drop = await anna.engine.drops.new("Oma", "ask", Place("127.0.0.1", secure=False))
    page = await browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    found: dict[str, list[str]] = {}

    async def judge(state: str) -> None:
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.emulate_media(color_scheme="light")
        found[f"{state}, on a phone"] = await faults(page)
        await page.set_viewport_size({"width": 1200, "height": 800})
        await page.emulate_media(color_scheme="dark")
        found[f"{state}, on a desktop, dark"] = await faults(page)

    await page.goto(link.url or "")
    await page.wait_for_selector("#open:not([hidden])")
    await judge("a link before it is opened")
    await page.click("#open")
    await page.wait_for_selector("body[data-done=yes]")
    await judge("the gallery")
    await page.goto((link.url or "").split("/l/")[0] + "/l/nothing")
    await judge("no such link")
    await page.goto(drop.url or "")
    await page.wait_for_selector("#choose:not([hidden])")
    await judge("nothing chosen yet")
    others = [photograph(tmp_path / f"{name}.jpg") for name in ("three", "four")]
    await page.set_input_files("#photos-in", others)
    await page.get_by_text("2 wait until they are accepted").wait_for()
    await judge("photos that wait")
    anna.engine.drops.decide_all("Oma", accept=False)
    await page.wait_for_selector("body[data-done=yes]")
    await judge("photos that were declined")
    anna.engine.drops.revoke("Oma")
    await page.reload()
    await page.wait_for_selector("#trouble:not([hidden])")
    await judge("a link that was revoked")
    assert {state: grave for state, grave in found.items() if grave} == {}
    assert len(found) == 14
