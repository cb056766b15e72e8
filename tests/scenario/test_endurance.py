"""Three daemons that share to each other for half an hour hold no more at the end than at first."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node import Node

from ..conftest import RecordFigure
from .footprint import Footprint, more_opened, resting
from .household import Household, Person, is_well, together
from .pictures import noise, picture

MINUTES = 30.0
WARMING = 0.2
"""The part of that time after which what a daemon holds must not grow any more."""
GROWTH_BYTES = 10_000_000
"""How far memory may seem to grow from then on, by its slope: allocators are not exact."""
SAMPLE_SECONDS = 10.0
LAST = 3
"""Samples at the end: what is held for a moment, such as a second link, is not in all of them."""
SMALL, LARGE = 12, 8_000_000
"""Photos that each shares in a round, and bytes of the one that goes with them now and then."""


class Trio:
    """Three people of whom each shares to both others at the same time, again and again."""

    def __init__(self, people: list[Person], folder: Path) -> None:
        self.people = people
        self.photos = 0
        self.cut = 0
        """Links that were ended on purpose."""
        self.samples: dict[str, list[tuple[float, Footprint]]] = {each.name: [] for each in people}
        self._folder = folder
        self._chance = random.Random(3)

    def round(self) -> None:
        """Each shares, now and then a link ends meanwhile, then all of it is taken out again."""
        files = {person.name: self._files(person) for person in self.people}

        async def all_share() -> None:
            cutting = asyncio.create_task(self._cut()) if self._chance.random() < 0.3 else None
            shares = [self._share(person, files[person.name]) for person in self.people]
            shared = await asyncio.gather(*shares)
            if cutting is not None:
                await cutting
            photos = set[str]().union(*shared)
            await asyncio.gather(*(self._remove(person, photos) for person in self.people))

        asyncio.run(all_share())
        for file in [file for each in files.values() for file in each]:
            file.unlink()

    def _files(self, person: Person) -> list[Path]:
        folder = self._folder / person.name
        numbers = range(self.photos, self.photos + SMALL)
        files = [picture(folder / f"{number}.jpg", number) for number in numbers]
        if self._chance.random() < 0.2:
            files.append(noise(folder / "large.jpg", LARGE, self._chance.randrange(2**32)))
        self.photos += len(files)
        return files

    async def _share(self, person: Person, files: list[Path]) -> set[str]:
        """Share with both others, and wait until it is there, also after a link was cut."""
        others = [other.name for other in self.people if other is not person]
        async with Node.connect(person.home) as node:
            while True:
                try:
                    items = await node.share(files, others, metadata="original")
                except KinlightError as error:
                    assert error.code == "contact-blocked"  # noqa: PT017 - for a moment, by `_cut`
                    continue
                if all(item.state == "delivered" for item in items):
                    return {item.photo_id for item in items if item.photo_id is not None}
                assert not [item for item in items if item.state == "refused"], items

    async def _cut(self) -> None:
        """End the link between two of them: a contact that is blocked is let go at once."""
        one, other = self._chance.sample(self.people, 2)
        await asyncio.sleep(self._chance.random())  # chance is the point; nothing depends on it
        async with Node.connect(one.home) as node:
            await node.update_contact(other.name, blocked=True)
            await node.update_contact(other.name, blocked=False)
        self.cut += 1

    async def _remove(self, person: Person, photos: set[str]) -> None:
        async with Node.connect(person.home) as node:
            for photo in photos:
                await node.remove(photo, force=True)

    def sample(self, elapsed: float) -> None:
        """Note what each holds, when all of its work is done."""
        for person in self.people:
            self.samples[person.name].append((elapsed, resting(person)))


@pytest.mark.nightly
@pytest.mark.timeout(120 * MINUTES)
def test_three_daemons_at_load_hold_no_more_at_the_end_than_after_warming_up(
    household: Household, tmp_path: Path, record_figure: RecordFigure
) -> None:
    people = [household.person(name) for name in ("Anna", "Bob", "Carol")]
    together(*(person.make for person in people))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        household.introduce(people[one], people[other])
    for person in people:
        for other in people:
            if other is not person:
                person.run("contacts", "accept-from", other.name, "always")
    trio = Trio(people, tmp_path)
    begun = sampled = time.monotonic()
    while (now := time.monotonic()) < begun + 60 * MINUTES:
        trio.round()
        if now >= sampled + SAMPLE_SECONDS:
            sampled = now
            trio.sample(now - begun)
    what = f"three daemons for {MINUTES:g} minutes, {trio.photos} photos, {trio.cut} links cut"
    for person in people:
        samples = trio.samples[person.name]
        warm = [each for each in samples if each[0] >= 60 * MINUTES * WARMING]
        times = [elapsed for elapsed, _ in warm]
        slope, _ = statistics.linear_regression(times, [held.resident for _, held in warm])
        growth = slope * (times[-1] - times[0])
        record_figure(f"{what}: memory, {person.name}", round(growth / 1e6, 1), "MB", 10)
        first, last = (samples[: len(samples) - len(warm) + LAST], warm[-LAST:])
        for name in ("descriptors", "tasks"):
            at_first = max(getattr(held, name) for _, held in first)
            at_last = min(getattr(held, name) for _, held in last)
            record_figure(f"{what}: more {name}, {person.name}", at_last - at_first, "", 0)
            most = max((held for _, held in first), key=lambda held: held.descriptors)
            told = [f"{held}, more than {most}: {more_opened(held, most)}" for _, held in last]
            assert at_last <= at_first, "\n".join([f"{person.name}: {name}", *told])
        assert growth <= GROWTH_BYTES, [held.resident for _, held in samples]
        is_well(person)
