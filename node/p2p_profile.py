"""Says to anybody who asks over libp2p what this node is: a challenge in, a signed profile out."""

from __future__ import annotations

from typing import Final

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.utils.varint import encode_varint_prefixed, read_varint_prefixed_bytes_limited

from ..crypto.secret import Secret
from ..crypto.signing import SigningKey
from ..protocol import limits
from ..protocol.messages import VERSIONS
from ..protocol.profile import Profile
from .p2p_stream import Stream

PROFILE: Final = TProtocol("/kinlight/profile/1")

ANSWER_SECONDS: Final = 5.0


class Introduction:
    """Answers with the transport key of `seed`."""

    def __init__(self, seed: bytes, *, relaying: bool, looking_up: bool) -> None:
        self._key = SigningKey(Secret(seed))
        self._roles = [role for role, has in (("lookup", looking_up), ("relay", relaying)) if has]

    async def answer(self, stream: INetStream) -> None:
        """One challenge on a stream; anything else ends it."""
        try:
            with trio.fail_after(ANSWER_SECONDS):
                challenge = await read_varint_prefixed_bytes_limited(
                    stream, limits.PROFILE_CHALLENGE_BYTES
                )
                profile = Profile.issue(self._key, challenge, VERSIONS, self._roles)
                await Stream(stream, _nothing).write(encode_varint_prefixed(profile.encode()))
                await stream.close()
        except BaseException:
            with trio.CancelScope(shield=True), trio.move_on_after(1):
                await stream.reset()
            raise


async def _nothing(_: Stream) -> None:
    """The owner of the stream closes it."""
