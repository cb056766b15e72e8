"""A photo through a link to Chromium, beside a bare aiortc channel to the same browser.

    python -m benchmarks.links

Both send the same number of bytes from a process with aiortc in it; the bare one sends zeros, in
messages of the same size and with the same bound on what waits, to a page that drops them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from kinlight.node import weblink_desk
from kinlight.node.weblink_serving import BUFFERED_BYTES
from kinlight.protocol import limits

from benchmarks.couple import daemon
from benchmarks.figures import MIB, Figure

LENGTH = 64 * MIB
PATIENCE_MS = 240_000

CONNECT = """async () => {
  globalThis.peer = new RTCPeerConnection({ iceServers: [] });
  const channel = peer.createDataChannel('bare');
  channel.binaryType = 'arraybuffer';
  globalThis.got = 0;
  channel.onmessage = (event) => { got += event.data.byteLength; };
  channel.onopen = () => channel.send('begin');
  await peer.setLocalDescription(await peer.createOffer());
  await new Promise((done) => setTimeout(done, 500));
  return peer.localDescription.sdp;
}"""
ANSWER = "async (sdp) => { await peer.setRemoteDescription({ type: 'answer', sdp }); }"


async def bare(page: Any) -> float:
    """Seconds for `LENGTH` bytes, from the first on."""
    from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
    from kinlight.protocol import weblink_offer

    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    begun = asyncio.Event()
    room = asyncio.Event()
    opened: list[RTCDataChannel] = []

    def on_message(_message: str | bytes) -> None:
        begun.set()

    def on_channel(channel: RTCDataChannel) -> None:
        opened.append(channel)
        channel.bufferedAmountLowThreshold = BUFFERED_BYTES // 2
        channel.on("bufferedamountlow", room.set)
        channel.on("message", on_message)

    connection.on("datachannel", on_channel)
    offer = weblink_offer.harmless(await page.evaluate(CONNECT), weblink_desk.where(None))
    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    await page.evaluate(ANSWER, connection.localDescription.sdp)
    await begun.wait()
    start, sent = time.perf_counter(), 0
    message = bytes(limits.LINK_PART_BYTES)
    while sent < LENGTH:
        while opened[0].bufferedAmount > BUFFERED_BYTES:
            room.clear()
            await room.wait()
        opened[0].send(message)
        sent += len(message)
    await page.wait_for_function(f"() => got >= {sent}", timeout=PATIENCE_MS)
    seconds = time.perf_counter() - start
    await connection.close()
    return seconds


async def linked(page: Any, url: str) -> float:
    """Seconds from the press of the button until the photo was checked."""
    await page.goto(url)
    await page.wait_for_selector("#open:not([hidden])")
    start = time.perf_counter()
    await page.click("#open")
    await page.wait_for_selector("body[data-done=yes]", timeout=PATIENCE_MS)
    return time.perf_counter() - start


async def main() -> None:
    """Print the figures."""
    from playwright.async_api import async_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no Chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = folder / "film.bin"
        large.write_bytes(os.urandom(LENGTH))
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        async with (
            async_playwright() as playwright,
            daemon(folder / "home", "Anna") as node,
        ):
            browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
            ways = {"WebCrypto": "localhost", "noble, plain HTTP": None}
            for how, at in ways.items():
                link = await node.share_link(large, original=True, at=at)
                page = await browser.new_page()
                seconds = await linked(page, link.url or "")
                await page.close()
                rate = LENGTH / MIB / seconds
                Figure(f"a link to Chromium, {how}", rate, "MiB/s").show()
            page = await browser.new_page()
            await page.goto("about:blank")
            rate = LENGTH / MIB / await bare(page)
            Figure("a bare aiortc channel to Chromium", rate, "MiB/s").show()
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
