"""`GET /metrics`: numbers that add up, and nothing that tells of whom."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from kinlight.crypto.blob import PIECE_BYTES
from kinlight.node import Node
from kinlight.node.daemon import Daemon
from kinlight.node.home import ApiAddress
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families,  # pyright: ignore[reportUnknownVariableType]
)

from .conftest import Picture, Two
from .nodes import PASSPHRASE, PATIENCE, TestedNode, make_home
from .photographs import photograph


def numbers(text: str) -> dict[str, float]:
    """By name, without the prefix, and label values; read by the library's own parser."""
    return {
        " ".join([sample.name.removeprefix("kinlight_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(node: TestedNode) -> dict[str, float]:
    return numbers(node.engine.metrics().decode())


async def test_the_numbers_are_those_of_what_was_done(joined: Two, picture: Picture) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    path = picture(length=2 * PIECE_BYTES)
    item = await joined.anna.share_one(path, "Bob")
    assert item.state == "delivered"
    anna, bob = of(joined.anna), of(joined.bob)
    pieces = 3 + 1  # of the photo and of its metadata
    assert (anna["pieces_sent_total"], bob["pieces_received_total"]) == (pieces, pieces)
    assert (bob["pieces_sent_total"], anna["pieces_received_total"]) == (0, 0)
    assert anna["sent_bytes_total"] > 2 * PIECE_BYTES
    assert bob["received_bytes_total"] > 2 * PIECE_BYTES
    assert bob["sent_bytes_total"] < PIECE_BYTES
    for node, found in ((joined.anna, anna), (joined.bob, bob)):
        assert (found["unlocked"], found["links"], found["contacts"]) == (1, 1, 1)
        assert (found["photos"], found["fetches"]) == (1, 0)
        assert found["blob_bytes"] == sum(file.stat().st_size for file in node.blob_files())
        assert 0 < found["database_bytes"] < 16 * 1024 * 1024
        assert found["uptime_seconds"] >= 0
    assert (bob["offers stored"], bob["offers waiting"]) == (1, 0)
    assert (anna["deliveries delivered"], anna["deliveries queued"]) == (1, 0)


async def test_refusals_are_counted_by_their_codes(joined: Two, picture: Picture) -> None:
    item = await joined.anna.share_one(picture(), "Bob")
    assert item.photo_id is not None
    joined.bob.engine.decide(item.photo_id, accept=False)
    await joined.anna.until(lambda: joined.anna.delivery_state(item.photo_id or "") == "refused")
    assert of(joined.anna)["refusals_total declined delivery"] == 1


async def test_no_name_key_id_or_path_is_in_them(two: Two, tmp_path: Path) -> None:
    await two.bob.engine.update_contact("Anna", accept="always")
    path = photograph(tmp_path / "grandmother.jpg", size=(64, 48))
    item = await two.anna.share_one(path, "Bob")
    assert item.photo_id is not None
    await two.bob.engine.rendition(item.photo_id, "preview")
    for node in (two.anna, two.bob):
        text = node.engine.metrics().decode()
        identity = node.engine.identity()
        needles = [
            *("Anna", "Bob", "grandmother", str(tmp_path), item.photo_id, item.sha256 or ""),
            *(identity.identity, identity.device, identity.fingerprint, node.address, "127.0.0.1"),
            *(file.name for file in node.blob_files()),
        ]
        assert [needle for needle in needles if needle in text] == []
        assert numbers(text)["decoder_starts_total"] == 1


async def test_they_are_served_to_who_has_the_token_also_while_the_node_is_locked(
    tmp_path: Path,
) -> None:
    home, _ = make_home(tmp_path / "home", "Anna")
    async with Daemon.running(home), Node.connect(home.path) as node:
        address = ApiAddress.load(home)
        assert address is not None
        url = f"http://127.0.0.1:{address.port}/metrics"
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            assert (await client.get(url)).status_code == 403
            token = {"Authorization": f"Bearer {address.token}"}
            response = await client.get(url, headers=token)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("application/openmetrics-text")
        assert response.text.endswith("# EOF\n")
        locked = numbers(response.text)
        assert locked["unlocked"] == 0
        assert "photos" not in locked
        await node.unlock(PASSPHRASE.reveal().decode())
        assert numbers(await node.metrics())["photos"] == 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only some systems tell")
async def test_memory_and_processor_are_told_where_the_system_tells_them(two: Two) -> None:
    found = of(two.anna)
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert found["process_cpu_seconds_total"] > 0
