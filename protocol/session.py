"""A session between two nodes: channel, hello, then messages. Bytes in, events out.

When each message is allowed is the table `MOVES`: (role, state, what came) -> next state. What is
not in the table ends the session and changes nothing else. docs/spec/channel.md draws its diagram
from this table.

Feed `receive` with what the pipe gives, act on the events, write `to_send()` to the pipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from ..crypto import pairing
from ..crypto.channel import Channel, ChannelSettings, Role
from ..crypto.errors import (
    ChannelError,
    MalformedError,
    PeerError,
    TruncatedError,
    WeakChannelError,
)
from ..crypto.identity import DeviceChain
from ..crypto.pairing import Code, Invitation
from . import errors, limits, messages
from .album_messages import ALBUM_WORK
from .device_messages import DEVICE_WORK, DeviceGift
from .errors import (
    NotPairingError,
    RevokedDeviceError,
    TooMuchError,
    UnexpectedMessageError,
    UnknownPeerError,
    UnknownTicketError,
    from_wire,
    wire_code,
)
from .framing import FrameReader, frame
from .guardian_messages import GUARDIAN_WORK
from .head_messages import HEAD_WORK
from .joining import AddOpening, DeviceRequest, Gift, Joined, Joining, JoinOpening
from .messages import (
    VERSIONS,
    WORK,
    Bye,
    Hello,
    Message,
    PairChain,
    PairConfirm,
    PairDone,
    Prove,
    Welcome,
)
from .opening import (
    Acquaintance,
    ContactOpening,
    Entropy,
    LocalDevice,
    PairingWindow,
    PairOpening,
    PairSecret,
    Pinned,
    Transport,
    dial_tags,
    recognise,
    recognise_answer,
)
from .sibling_messages import SIBLING_WORK
from .ticket import IssuedTicket, Ticket, recognise_ticket


class State(Enum):
    """Where a session stands; the name says what it waits for."""

    CHANNEL = "channel"
    HELLO = "hello"
    WELCOME = "welcome"
    PROOF = "proof"
    PAIR_WELCOME = "pair welcome"
    PAIR_CHAIN = "pair chain"
    PAIR_CONFIRM = "pair confirm"
    PAIR_DONE = "pair done"
    DEVICE_WELCOME = "device welcome"
    DEVICE_CHAIN = "device chain"
    DEVICE_CONFIRM = "device confirm"
    DEVICE_GIFT = "device gift"
    PAIRED = "paired"
    UP = "up"
    ENDED = "ended"


Happening = type[Message] | str
"""What drives the table: a message type, or `channel up`, `hello contact`, `hello pair`, …"""

_D: Final[Role] = "dialer"
_L: Final[Role] = "listener"
_Row = tuple[Role, State, Happening, State]
ALL_WORK: Final[tuple[type[Message], ...]] = (
    *WORK, *ALBUM_WORK, *DEVICE_WORK, *SIBLING_WORK, *HEAD_WORK, *GUARDIAN_WORK,
)  # fmt: skip
"""What goes over a session that stands, of every part of the protocol."""

_ROWS: Final[tuple[_Row, ...]] = (
    # Contacts.
    (_D, State.CHANNEL, "channel up, contact", State.WELCOME),
    (_D, State.WELCOME, Welcome, State.PROOF),
    (_D, State.PROOF, Prove, State.UP),
    (_L, State.CHANNEL, "channel up", State.HELLO),
    (_L, State.HELLO, "hello contact", State.PROOF),
    (_L, State.PROOF, Prove, State.UP),
    # First meeting.
    (_D, State.CHANNEL, "channel up, pair", State.PAIR_WELCOME),
    (_D, State.PAIR_WELCOME, Welcome, State.PAIR_CHAIN),
    (_D, State.PAIR_CHAIN, PairChain, State.PAIR_CONFIRM),
    (_D, State.PAIR_CONFIRM, PairConfirm, State.PAIR_DONE),
    (_D, State.PAIR_DONE, PairDone, State.PAIRED),
    (_D, State.CHANNEL, "channel up, ticket", State.PAIR_WELCOME),
    (_L, State.HELLO, "hello pair", State.PAIR_CHAIN),
    (_L, State.HELLO, "hello ticket", State.PAIR_CHAIN),
    (_L, State.PAIR_CHAIN, PairChain, State.PAIR_CONFIRM),
    (_L, State.PAIR_CONFIRM, PairConfirm, State.PAIRED),
    # A further device of one's own.
    (_D, State.CHANNEL, "channel up, device", State.DEVICE_WELCOME),
    (_D, State.DEVICE_WELCOME, Welcome, State.DEVICE_CHAIN),
    (_D, State.DEVICE_CHAIN, PairChain, State.DEVICE_CONFIRM),
    (_D, State.DEVICE_CONFIRM, PairConfirm, State.DEVICE_GIFT),
    (_D, State.DEVICE_GIFT, DeviceGift, State.PAIRED),
    (_L, State.HELLO, "hello device", State.DEVICE_CHAIN),
    (_L, State.DEVICE_CHAIN, PairChain, State.DEVICE_CONFIRM),
    (_L, State.DEVICE_CONFIRM, PairConfirm, State.PAIRED),
    # Work, and the end.
    *((role, State.UP, message, State.UP) for role in (_D, _L) for message in ALL_WORK),
    *(
        (role, state, Bye, State.ENDED)
        for role in (_D, _L)
        for state in State
        if state not in (State.CHANNEL, State.ENDED)
    ),
)

MOVES: Final[Mapping[tuple[Role, State, Happening], State]] = MappingProxyType(
    {(role, state, what): after for role, state, what, after in _ROWS}
)


@dataclass(frozen=True, slots=True)
class Established:
    """The peer is authenticated; work may begin."""

    peer: DeviceChain


@dataclass(frozen=True, slots=True)
class Paired:
    """A first meeting succeeded. A listener stores it, then calls `pairing_stored`."""

    acquaintance: Acquaintance


@dataclass(frozen=True, slots=True)
class Asked:
    """A new device wants to be one of ours and knew the code. A listener certifies it, then calls
    `device_given`.
    """

    request: DeviceRequest


@dataclass(frozen=True, slots=True)
class Added:
    """We are a device of whoever showed the code."""

    joined: Joined


@dataclass(frozen=True, slots=True)
class Received:
    """A message of an established session."""

    message: Message


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows. `error` is None after a proper goodbye."""

    error: PeerError | None


Event = Established | Paired | Asked | Added | Received | Ended


@dataclass(frozen=True, slots=True)
class Callee:
    """What a listener needs to judge a hello: contacts that may call, an open code, tickets."""

    contacts: Callable[[], Iterable[Pinned]]
    window: Callable[[], PairingWindow | None]
    tickets: Callable[[], Iterable[IssuedTicket]] = tuple


@dataclass(frozen=True, slots=True)
class Bearer:
    """A dialer with a ticket, who may dial several places at the same time.

    Each session asks `claim` once, when the ticket's maker has proved itself and before anything is
    said that makes a contact. It must give True to one of them and no more: two pairings at once
    could leave the two sides with different secrets.
    """

    ticket: Ticket
    claim: Callable[[], bool]


def _none_lost(_: DeviceChain) -> bool:
    return False


class Session:
    """One end of one connection.

    `to` says what for: the contacts that a listener may turn out to be (at most
    `limits.DIAL_TAGS`), a code, a QR secret or a ticket; `Joining`, for a device without papers;
    or, for a listener, a `Callee`. `lost`
    says of a device that proved itself whether its identity has revoked it. `transport` are the ids
    by which the pipe knows its ends, if it does: each side certifies its own in the hello.
    """

    def __init__(
        self,
        settings: ChannelSettings,
        device: LocalDevice | None,
        to: Sequence[Pinned] | Code | Invitation | Bearer | Joining | Callee,
        entropy: Entropy,
        lost: Callable[[DeviceChain], bool] = _none_lost,
        transport: Transport | None = None,
    ) -> None:
        if device is None and not isinstance(to, Joining):
            raise ValueError("only who joins an identity has no papers")
        if isinstance(to, Sequence) and not 1 <= len(to) <= limits.DIAL_TAGS:
            raise ValueError(f"a hello asks for 1 to {limits.DIAL_TAGS} contacts")
        self.role: Final[Role] = "listener" if isinstance(to, Callee) else "dialer"
        self.state = State.CHANNEL
        self.peer: DeviceChain | None = None
        self.version = VERSIONS[-1]
        self._device = device
        self._to = to
        self._entropy = entropy
        self._lost = lost
        self._transport = transport
        self._channel = Channel(self.role, settings)
        self._frames = FrameReader()
        self._opening_bytes = 0
        self._contact: ContactOpening | None = None
        self._pair: PairOpening | JoinOpening | AddOpening | None = None
        self._window: PairingWindow | None = None
        self._ticket: IssuedTicket | None = None
        self._acquaintance: Acquaintance | None = None

    # What the pipe's driver calls.

    def receive(self, data: bytes) -> list[Event]:
        """Events that `data` brings about. A fault of the peer is an `Ended` event, not raised."""
        events: list[Event] = []
        view = memoryview(data)
        try:
            while view and not self._ended:
                # Work may follow the proof that ends the opening in the same bytes of the pipe.
                room = self._room(len(view))
                self._take(view[:room], events)
                view = view[room:]
        except PeerError as error:
            events.append(self._fail(error))
        return events

    def receive_eof(self) -> list[Event]:
        """The pipe ended. Without a goodbye before it that is a cut, and never a success."""
        if self.state is State.ENDED:
            return []
        self.state = State.ENDED
        return [Ended(TruncatedError())]

    def to_send(self) -> bytes:
        """Bytes for the pipe."""
        return self._channel.to_send()

    @property
    def window(self) -> PairingWindow | None:
        """The open code that a listener's pairing was begun under."""
        return self._window

    @property
    def ticket(self) -> IssuedTicket | None:
        """The ticket of ours that a listener's pairing was begun with."""
        return self._ticket

    @property
    def exporter(self) -> bytes:
        """The channel's exporter value: the same at both ends, and of this channel only."""
        return self._channel.exporter

    def takes(self, kind: type[Message]) -> bool:
        """Whether the version that both sides agreed on has such a message."""
        over = kind.until is not None and kind.until < self.version
        return kind.since <= self.version and not over

    def send(self, message: Message) -> None:
        """Queue a message of an established session."""
        if self.state is not State.UP:
            raise ValueError(f"{type(message).__name__} while {self.state.value}")
        if not self.takes(type(message)):
            raise ValueError(f"the other side does not know {type(message).__name__}")
        self._queue(message)

    def pairing_stored(self) -> None:
        """The listener has stored the new contact durably; tell the dialer and say goodbye.

        Nothing is said if the dialer left meanwhile.
        """
        if self.state is State.ENDED:
            return
        if (
            self.role != "listener"
            or self.state is not State.PAIRED
            or not isinstance(self._pair, PairOpening)
        ):
            raise ValueError(f"nothing to store while {self.state.value}")
        self._queue(PairDone())
        self.close()

    def device_given(self, gift: Gift) -> None:
        """The listener has stored the new device durably; give it its papers and say goodbye.

        Nothing is said if the dialer left meanwhile.
        """
        if self.state is State.ENDED:
            return
        if self.state is not State.PAIRED or not isinstance(self._pair, AddOpening):
            raise ValueError(f"no device to give anything to while {self.state.value}")
        self._queue(self._pair.gift(gift))
        self.close()

    def close(self, error: Exception | None = None) -> None:
        """Say goodbye, with the reason if the other side did something wrong."""
        if self.state is State.ENDED:
            return
        if self._channel.established:
            self._queue(Bye(wire_code(error) if error else 0))
            self._channel.close()
        self.state = State.ENDED

    @property
    def _ended(self) -> bool:
        return self.state is State.ENDED

    # The table at work.

    def _room(self, count: int) -> int:
        """How many of `count` bytes may be taken now: all, but few before the peer is known."""
        if self.state is State.UP:
            return count
        room = min(count, limits.OPENING_BYTES - self._opening_bytes)
        if room == 0:
            raise TooMuchError("before it was authenticated")
        self._opening_bytes += room
        return room

    def _take(self, data: memoryview, events: list[Event]) -> None:
        established = self._channel.established
        plaintext = self._channel.receive(data)
        if self._channel.established and not established:
            self._begin()
        for message in self._frames.feed(plaintext):
            events += self._handle(messages.decode(message))
            if self._ended:
                return
        if self._channel.closed_by_peer:
            raise TruncatedError

    def _begin(self) -> None:
        match self._to:
            case Callee():
                self._move("channel up")
            case Code() | Invitation():
                self._pair = self._pair_opening(self._to)
                self._move("channel up, pair")
                self._queue(Hello(VERSIONS, "pair", self._pair.method, self._pair.first_message()))
            case Joining():
                self._pair = JoinOpening(
                    self._to, self._channel.exporter, self._entropy, self._transport
                )
                self._move("channel up, device")
                self._queue(
                    Hello(
                        messages.DEVICE_VERSIONS,
                        "device",
                        self._pair.method,
                        self._pair.first_message(),
                    )
                )
            case Bearer():
                self._pair = self._pair_opening(self._to.ticket)
                self._move("channel up, ticket")
                self._queue(
                    Hello(messages.TICKET_VERSIONS, "ticket", "", self._pair.first_message())
                )
            case _:
                self._move("channel up, contact")
                tags = dial_tags(self._to, self._channel.exporter, self._entropy)
                self._queue(Hello(VERSIONS, "contact", "", tags))

    def _move(self, what: Happening) -> None:
        after = MOVES.get((self.role, self.state, what))
        if after is None:
            raise UnexpectedMessageError
        self.state = after

    def _handle(self, message: Message) -> list[Event]:
        happening = f"hello {message.mode}" if isinstance(message, Hello) else type(message)
        self._move(happening)
        match message:
            case Bye():
                self._channel.close()
                return [Ended(from_wire(message.code) if message.code else None)]
            case Hello():
                self._answer_hello(message)
            case Welcome():
                self._answer_welcome(message)
            case Prove():
                self.peer = self._known(self._contact_opening().check_proof(message))
                return [Established(self.peer)]
            case PairChain():
                self._answer_chain(message)
            case PairConfirm():
                return self._answer_confirm(message)
            case PairDone():
                return self._finish_pairing()
            case DeviceGift():
                return self._take_gift(message)
            case _ if not self.takes(type(message)):
                raise UnexpectedMessageError
            case _:
                return [Received(message)]
        return []

    def _answer_hello(self, hello: Hello) -> None:
        if not isinstance(self._to, Callee):
            raise UnexpectedMessageError
        self.version = next(version for version in VERSIONS if version in hello.versions)
        if hello.mode in ("pair", "device"):
            self._answer_pair_hello(hello, self._to.window())
            return
        if hello.method:
            raise MalformedError("only a hello to pair has a method")
        if hello.mode == "ticket":
            self._answer_ticket_hello(hello, self._to.tickets())
            return
        peer = recognise(self._to.contacts(), hello.proof, self._channel.exporter)
        if peer is None:
            # Random bytes and the end: a stranger can't tell it from a node that knows others.
            self._queue(Welcome(self.version, self._entropy(pairing.TAG_BYTES)))
            raise UnknownPeerError
        self._contact = self._contact_with(peer)
        self._queue(Welcome(self.version, self._contact.accept_tag()))
        self._queue(self._contact.prove())

    def _answer_pair_hello(self, hello: Hello, window: PairingWindow | None) -> None:
        if hello.mode == "device" and self.version not in messages.DEVICE_VERSIONS:
            raise UnexpectedMessageError
        if (
            window is None
            or hello.method not in messages.METHODS
            or hello.mode != window.purpose  # before a run is spent: it is not a guess
        ):
            raise NotPairingError
        window.begin(hello.method)
        self._window = window
        secret = window.code if hello.method == "code" else window.invitation
        self._pair = (
            self._pair_opening(secret)
            if hello.mode == "pair"
            else AddOpening(
                self._own_device(),
                self._channel.exporter,
                secret,
                self._entropy,
                self._transport,
            )
        )
        self._pair.receive_first(hello.proof)
        self._queue(Welcome(self.version, self._pair.first_message()))

    def _answer_ticket_hello(self, hello: Hello, tickets: Iterable[IssuedTicket]) -> None:
        if self.version not in messages.TICKET_VERSIONS:
            raise UnexpectedMessageError
        ticket = recognise_ticket(tickets, hello.proof, self._channel.exporter)
        if ticket is None:
            raise UnknownTicketError
        ticket.begin()
        self._ticket = ticket
        self._pair = self._pair_opening(ticket)
        self._queue(Welcome(self.version, self._pair.first_message()))

    def _answer_welcome(self, welcome: Welcome) -> None:
        self.version = welcome.version
        if self._pair is not None:
            self._pair.receive_first(welcome.proof)
            self._queue(self._pair.chain_message())
            return
        if not isinstance(self._to, Sequence):
            raise UnexpectedMessageError
        peer = recognise_answer(self._to, welcome.proof, self._channel.exporter)
        self._contact = self._contact_with(peer)
        self._queue(self._contact.prove())

    def _answer_chain(self, message: PairChain) -> None:
        pair = self._pairing()
        pair.receive_chain(message)
        if self.role == "listener":
            self._queue(pair.chain_message())
            self._queue(pair.confirm_message())

    def _known(self, chain: DeviceChain) -> DeviceChain:
        """A device that proved itself, unless its identity says that it is lost."""
        if self._lost(chain):
            raise RevokedDeviceError
        return chain

    def _answer_confirm(self, message: PairConfirm) -> list[Event]:
        pair = self._pairing()
        match pair:
            case JoinOpening():
                pair.receive_confirm(message)
                self._queue(pair.confirm_message())
                return []
            case AddOpening():
                request = pair.receive_confirm(message)
                if self._window is not None:
                    self._window.finish()
                return [Asked(request)]
            case _:
                return self._paired_with(pair, message)

    def _paired_with(self, pair: PairOpening, message: PairConfirm) -> list[Event]:
        acquaintance = pair.receive_confirm(message)
        self._known(acquaintance.chain)
        if self.role == "dialer":
            if isinstance(self._to, Bearer) and not self._to.claim():
                self.close()  # the maker was met on another connection first
                return [Ended(None)]
            self.peer, self._acquaintance = acquaintance.chain, acquaintance
            self._queue(pair.confirm_message())
            return []
        if self._window is not None:
            self._window.finish()
        self.peer = acquaintance.chain
        return [Paired(acquaintance)]

    def _finish_pairing(self) -> list[Event]:
        if self._acquaintance is None:
            raise UnexpectedMessageError
        return [Paired(self._acquaintance)]

    def _take_gift(self, message: DeviceGift) -> list[Event]:
        if not isinstance(self._pair, JoinOpening):
            raise UnexpectedMessageError
        return [Added(self._pair.receive_gift(message))]

    def _fail(self, error: PeerError) -> Ended:
        # A stranger gets no reason, and a broken channel carries none.
        told = not isinstance(error, (ChannelError, WeakChannelError, UnknownPeerError))
        try:
            if told and self._channel.established:
                self._queue(Bye(errors.wire_code(error)))
            self._channel.close()
        except ChannelError:
            pass
        self.state = State.ENDED
        return Ended(error)

    def _pair_opening(self, secret: PairSecret) -> PairOpening:
        exporter = self._channel.exporter
        return PairOpening(
            self._own_device(), self.role, exporter, secret, self._entropy, self._transport
        )

    def _contact_with(self, peer: Pinned) -> ContactOpening:
        exporter = self._channel.exporter
        return ContactOpening(self._own_device(), self.role, exporter, peer, self._transport)

    def _contact_opening(self) -> ContactOpening:
        if self._contact is None:
            raise UnexpectedMessageError
        return self._contact

    def _own_device(self) -> LocalDevice:
        if self._device is None:
            raise UnexpectedMessageError
        return self._device

    def _pairing(self) -> PairOpening | JoinOpening | AddOpening:
        if self._pair is None:
            raise UnexpectedMessageError
        return self._pair

    def _queue(self, message: Message) -> None:
        self._channel.send(frame(message.encode()))
