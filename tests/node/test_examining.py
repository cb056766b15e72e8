"""From a file to what is seen of it; a picture that harms a process harms no more than that."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from pathlib import Path

import pytest
from kinlight.node.check_service import CheckService
from kinlight.node.decoder import Decoder
from kinlight.node.examining import examine, out_of_range
from kinlight.node.facts import A_CLIP, Facts

from .nodes import eventually
from .test_decoder import children_of, noise, saved


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts("mp4", refused=A_CLIP), "it is a video"),
        (Facts("jpeg", refused="its data are damaged"), "its data are damaged"),
        (Facts("jpeg", damaged=True), "missing or wrong"),
        (Facts("png", frames=2), "animation"),
        (Facts("heif", frames=1), "HEIF"),
        (Facts("dng"), "DNG"),
    ],
)
async def test_of_what_is_not_calibrated_nobody_is_asked(facts: Facts, reason: str) -> None:
    decoder, service = Decoder(), CheckService(command=["/nothing"])
    examined = await examine(decoder, service, facts, lambda: nullcontext(b"never opened"))
    assert examined.seen.verdict == "cannot-tell"
    assert reason in examined.seen.reason
    assert (decoder.starts, service.starts) == (0, 0)
    await service.close()


def test_pictures_as_photos_are_saved_are_in_range() -> None:
    for kind in ("jpeg", "png", "webp", "tiff"):
        assert out_of_range(Facts(kind, frames=1)) is None


async def test_a_decoder_that_is_killed_leaves_a_reason(tmp_path: Path) -> None:
    picture = saved(noise((4800, 4800)), "PNG", compress_level=1)  # it takes a while
    async with Decoder() as decoder, CheckService(command=[str(tmp_path / "none")]) as service:
        await decoder.probe()
        looking = asyncio.create_task(
            examine(decoder, service, Facts("png"), lambda: nullcontext(picture))
        )
        await eventually(lambda: bool(children_of(decoder)))
        for child in children_of(decoder):
            child.kill()
        examined = await looking
    assert examined.seen.verdict == "cannot-tell"
    assert "killed" in examined.seen.reason
    assert service.starts == 0
