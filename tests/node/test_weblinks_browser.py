"""Links in a real browser: what it shows and saves, and in which words it says why not."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path

import pytest
from kinlight.node import weblink_desk
from kinlight.node.errors import BadRequestError
from kinlight.node.views_weblinks import WebLink
from playwright.async_api import Browser, Route

from .browsers import Watched, browsing, new_page
from .conftest import Picture, Start
from .nodes import Clock, TestedNode
from .photographs import photograph
from .test_weblinks import HOUR, linked

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SCRIPT = '"><img src=x onerror=alert(1)><script>alert(1)</script>.jpg'
LARGE = 30_000_000


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


@pytest.fixture
async def browser() -> AsyncGenerator[Browser]:
    async with browsing() as browser:
        yield browser


def lan() -> str:
    """Where a page is no secure context, so that it has no WebCrypto."""
    try:
        return weblink_desk.where(None)
    except BadRequestError as error:
        pytest.skip(str(error))


async def opened(browser: Browser, link: WebLink) -> Watched:
    watched = await new_page(browser, link.url or "")
    await watched.open(link.url or "")
    return watched


@pytest.mark.parametrize("place", ["localhost", "lan"])
async def test_a_photo_and_30_mb_arrive_byte_for_byte(
    anna: TestedNode, browser: Browser, picture: Picture, tmp_path: Path, place: str
) -> None:
    host = lan() if place == "lan" else "127.0.0.1"
    photo = photograph(tmp_path / "beach.jpg", size=(60, 40))
    large = picture("film.bin", LARGE)
    page = await opened(browser, await linked(anna, photo, large, host=host))
    assert await page.page.evaluate("!!(globalThis.crypto.subtle)") == (place == "localhost")
    await page.receive()
    assert await page.save("Save beach.jpg") == photo.read_bytes()
    assert await page.save("Save film.bin") == large.read_bytes()
    assert await page.page.evaluate("document.querySelector('img').naturalWidth") == 60
    assert "from Anna" in await page.page.inner_text("#title")
    assert "can open it" in await page.page.inner_text("#class")
    unencrypted = "came unencrypted" in await page.page.inner_text("#transport")
    assert unencrypted == (place == "lan")
    # Nobody else was asked anything, and nothing that the policy forbids was tried.
    assert page.elsewhere == []
    assert page.faults == []
    assert await page.page.context.cookies() == []


async def test_a_reload_goes_on_where_it_was_and_counts_no_further_opening(
    anna: TestedNode, browser: Browser, picture: Picture
) -> None:
    files = [picture("one.bin", 3_000_000), picture("two.bin", 6_000_000)]
    page = await opened(browser, await linked(anna, *files))
    await page.page.click("#open")
    await page.page.get_by_text("Save one.bin", exact=True).wait_for()
    sent = anna.engine.events.counters.pieces_sent
    await page.page.reload()
    await page.done()
    for file in files:
        assert await page.save(f"Save {file.name}") == file.read_bytes()
    whole = sum(-(-file.stat().st_size // 262_144) for file in files)
    assert sent >= 12  # the first was whole; none of its pieces came again
    assert anna.engine.events.counters.pieces_sent <= whole + 16 + 2
    assert anna.engine.weblinks.list()[0].used == 1


async def test_all_are_saved_in_one_archive_under_harmless_names(
    anna: TestedNode, browser: Browser, picture: Picture, tmp_path: Path
) -> None:
    first = tmp_path / "a"
    first.mkdir()
    files = [
        picture("beach.bin", 400_000),
        first / "beach.bin",
        tmp_path / SCRIPT.replace("/", "_"),
    ]
    for file in files[1:]:
        file.write_bytes(file.name.encode() * 100)
    page = await opened(browser, await linked(anna, *files, host=lan()))
    await page.receive()
    archive = await page.save("Save all in one file")
    with zipfile.ZipFile(BytesIO(archive)) as opened_archive:
        assert opened_archive.testzip() is None
        names = opened_archive.namelist()
        contents = [opened_archive.read(name) for name in names]
    assert names[:2] == ["beach.bin", "beach 2.bin"]
    assert not set('<>"/\\') & set(names[2])
    assert contents == [file.read_bytes() for file in files]
    # The name is on the page as text, and did nothing.
    assert "onerror" in await page.page.inner_text("#photos")
    assert await page.page.evaluate("document.querySelectorAll('script').length") == 1
    assert page.faults == []


async def test_a_link_that_does_not_open_says_why(
    anna: TestedNode, browser: Browser, picture: Picture, clock: Clock
) -> None:
    path = picture()
    link, other = await linked(anna, path), await linked(anna, path)
    used, gone = await linked(anna, path), await linked(anna, path)
    url = link.url or ""

    async def told(at: str) -> tuple[str, str]:
        context = await browser.new_context()  # as another person's browser
        try:
            page = await new_page(context, at)
            await page.open(at)
            button = page.page.locator("#open:not([hidden])")
            await button.or_(page.page.locator("#trouble:not([hidden])")).wait_for()
            if await button.is_visible():
                await button.click()
            return await page.trouble()
        finally:
            await context.close()

    wrong = await told(f"{url.split('#')[0]}#{(other.url or '').split('#')[1]}")
    assert wrong[0] == "link-key"
    assert "after the #" in wrong[1]
    assert (await told(url.split("#")[0]))[0] == "link-key"
    assert (await told(url[:-3]))[0] == "link-key"

    page = await opened(browser, used)
    await page.receive()
    code, words = await told(used.url or "")
    assert (code, "as often as it may be" in words) == ("link-used-up", True)

    anna.engine.weblinks.revoke(gone.id)
    assert (await told(gone.url or ""))[0] == "link-revoked"
    clock.time += HOUR
    code, words = await told(url)
    assert (code, "has expired" in words) == ("link-expired", True)
    page = await new_page(browser, url)
    await page.open(url.split("/l/")[0] + "/l/" + "A" * 22 + "#" + "A" * 43)
    assert "no such link" in (await page.trouble())[1]


async def test_over_https_the_node_s_own_certificate_makes_a_secure_context(
    anna: TestedNode, browser: Browser, picture: Picture
) -> None:
    host = lan()
    file = picture("a.bin", 700_000)
    link = await linked(anna, file, picture("b.bin"), host=host, secure=True)
    assert (link.url or "").startswith(f"https://{host}:")
    context = await browser.new_context(ignore_https_errors=True)
    page = await new_page(context, link.url or "")
    # A file of the browser's own file system in the place of one that a person chooses.
    await page.page.add_init_script(
        "globalThis.showSaveFilePicker = async ({ suggestedName }) =>"
        " (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });"
    )
    await page.open(link.url or "")
    await page.receive()
    assert await page.page.evaluate("isSecureContext")
    assert await page.save("Save a.bin") == file.read_bytes()
    await page.page.click("#archive")
    await page.page.get_by_text("Saved in one file").wait_for()
    saved = await page.page.evaluate(
        "(async () => { const root = await navigator.storage.getDirectory();"
        " const file = await (await root.getFileHandle('photos.zip')).getFile();"
        " return Array.from(new Uint8Array(await file.arrayBuffer())); })()"
    )
    with zipfile.ZipFile(BytesIO(bytes(saved))) as archive:
        assert archive.testzip() is None
        assert archive.read("a.bin") == file.read_bytes()
    assert page.faults == []


async def test_without_a_secure_context_a_large_archive_is_refused_with_the_reason(
    anna: TestedNode, browser: Browser, picture: Picture
) -> None:
    link = await linked(anna, picture("a.bin"), picture("b.bin"), host=lan())
    page = await new_page(browser, link.url or "")
    served = "const IN_PAGE = 500 * 1000 * 1000"

    async def small(route: Route) -> None:
        response = await route.fetch()
        text = await response.text()
        assert served in text
        body = text.replace(served, "const IN_PAGE = 5000")  # for each photo, not for both
        await route.fulfill(response=response, body=body)

    await page.page.route("**/s/page.js", small)
    await page.open(link.url or "")
    await page.receive()
    await page.page.click("#archive")
    code, words = await page.trouble()
    assert (code, "500 MB" in words, "https" in words) == ("archive", True, True)
