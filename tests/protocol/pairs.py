"""Two real sessions joined in memory; and a session joined to a peer that keeps no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from kinlight.crypto.channel import Channel, ChannelSettings, Role
from kinlight.crypto.errors import ChannelError, PeerError
from kinlight.crypto.identity import DeviceChain
from kinlight.crypto.pairing import Code, Invitation
from kinlight.crypto.secret import Secret
from kinlight.protocol import messages
from kinlight.protocol.device_messages import DeviceGift
from kinlight.protocol.devices import OwnSecret
from kinlight.protocol.framing import FrameReader, frame
from kinlight.protocol.joining import AddOpening, Gift, Joining, JoinOpening
from kinlight.protocol.messages import (
    VERSION,
    VERSIONS,
    Hello,
    Message,
    PairChain,
    PairConfirm,
    PairDone,
    Prove,
    Welcome,
)
from kinlight.protocol.opening import (
    Acquaintance,
    ContactOpening,
    LocalDevice,
    PairingWindow,
    PairOpening,
    PairSecret,
    Pinned,
    dial_tags,
)
from kinlight.protocol.session import (
    Bearer,
    Callee,
    Ended,
    Event,
    Paired,
    Received,
    Session,
    State,
)
from kinlight.protocol.ticket import IssuedTicket, Ticket

from .people import CODE, FixedEntropy, Person, issued_of, new_device, pinned, ticket_of, window_of


@cache
def settings() -> ChannelSettings:
    return ChannelSettings()


def none_lost(_: DeviceChain) -> bool:
    return False


def dial(
    device: LocalDevice | None,
    to: Sequence[Pinned] | Code | Invitation | Ticket | Bearer | Joining,
    label: str = "dialer",
    lost: Callable[[DeviceChain], bool] = none_lost,
) -> Session:
    if isinstance(to, Ticket):
        to = Bearer(to, lambda: True)
    return Session(settings(), device, to, FixedEntropy(label), lost)


def listen(
    device: LocalDevice,
    contacts: Iterable[Pinned] = (),
    window: PairingWindow | None = None,
    label: str = "listener",
    lost: Callable[[DeviceChain], bool] = none_lost,
    tickets: Iterable[IssuedTicket] = (),
) -> Session:
    known, made = tuple(contacts), tuple(tickets)
    callee = Callee(lambda: known, lambda: window, lambda: made)
    return Session(settings(), device, callee, FixedEntropy(label), lost)


def ended(events: Iterable[Event]) -> Ended:
    """The one end among the events."""
    (end,) = (event for event in events if isinstance(event, Ended))
    return end


def error_of(events: Iterable[Event]) -> type[PeerError] | None:
    """Class of the error with which a session ended; None after a goodbye, heard or said."""
    ends = [event for event in events if isinstance(event, Ended)]
    if not ends:
        return None
    error = ended(ends).error
    return None if error is None else type(error)


def received(events: Iterable[Event]) -> list[Message]:
    return [event.message for event in events if isinstance(event, Received)]


@dataclass
class SessionPair:
    """Joins two sessions. What each end reports is kept in `of_dialer` and `of_listener`."""

    dialer: Session
    listener: Session
    of_dialer: list[Event] = field(default_factory=list[Event])
    of_listener: list[Event] = field(default_factory=list[Event])
    sent_up: bytearray = field(default_factory=bytearray)
    sent_down: bytearray = field(default_factory=bytearray)

    def pump(self) -> SessionPair:
        """Carry bytes until both are silent."""
        while True:
            up, down = self.dialer.to_send(), self.listener.to_send()
            if not up and not down:
                return self
            self.sent_up += up
            self.sent_down += down
            self.of_listener += self.listener.receive(up)
            self.of_dialer += self.dialer.receive(down)

    def pump_and_store(self) -> SessionPair:
        """As `pump`, and the listener stores whom it paired with."""
        self.pump()
        if any(isinstance(event, Paired) for event in self.of_listener):
            self.listener.pairing_stored()
        return self.pump()

    @property
    def errors(self) -> tuple[type[PeerError] | None, type[PeerError] | None]:
        return error_of(self.of_dialer), error_of(self.of_listener)

    def paired(self) -> tuple[Acquaintance, Acquaintance]:
        """Whom the dialer met, and whom the listener met."""
        (one,) = (event for event in self.of_dialer if isinstance(event, Paired))
        (other,) = (event for event in self.of_listener if isinstance(event, Paired))
        return one.acquaintance, other.acquaintance


class RawPeer:
    """One end that speaks channel and frames and says whatever the test wants."""

    def __init__(self, role: Role) -> None:
        self.channel = Channel(role, settings())
        self.inbox: list[Message] = []
        self._frames = FrameReader()

    @property
    def exporter(self) -> bytes:
        return self.channel.exporter

    def send(self, *sent: Message | bytes) -> None:
        for message in sent:
            self.channel.send(frame(message if isinstance(message, bytes) else message.encode()))

    def receive(self, data: bytes) -> None:
        try:
            for message in self._frames.feed(self.channel.receive(data)):
                self.inbox.append(messages.decode(message))
        except ChannelError:
            return  # the session sent an alert

    def last(self, kind: type[Message]) -> Message:
        return [message for message in self.inbox if type(message) is kind][-1]


class Duel:
    """A session under test against a raw peer."""

    def __init__(self, session: Session, raw: RawPeer) -> None:
        self.session = session
        self.raw = raw
        self.events: list[Event] = []

    def pump(self) -> Duel:
        while True:
            out, back = self.session.to_send(), self.raw.channel.to_send()
            if not out and not back:
                return self
            self.raw.receive(out)
            self.events += self.session.receive(back)

    def say(self, *sent: Message | bytes) -> list[Event]:
        """Send and return what the session made of it."""
        before = len(self.events)
        self.raw.send(*sent)
        self.pump()
        return self.events[before:]

    @property
    def error(self) -> type[PeerError] | None:
        return error_of(self.events)


class Partner:
    """A raw peer that can do every proper step, one at a time, to bring a session to a state."""

    def __init__(
        self,
        role: Role,
        me: Person,
        them: Person,
        mode: str,
        *,
        secret: Code | Invitation | Ticket | None = None,
        window: PairingWindow | None = None,
    ) -> None:
        self.raw = RawPeer(role)
        self.me, self.them, self.mode = me, them, mode
        self.device = me.device()
        self._host = them if role == "dialer" else me
        self._secret = secret
        self.window = window or window_of(self._host, "device" if mode == "device" else "pair")
        if role == "dialer":
            made = issued_of(ticket_of(them))
            session = listen(them.device(), [pinned(me, them)], self.window, tickets=[made])
        elif mode == "contact":
            session = dial(them.device(), [pinned(me, them)])
        elif mode == "device":
            session = dial(None, Joining(CODE, new_device()))
        else:
            session = dial(them.device(), self.secret)
        self.duel = Duel(session, self.raw)
        self._pair: PairOpening | JoinOpening | AddOpening | None = None

    @property
    def secret(self) -> Code | Invitation | Ticket:
        """The code that the host shows, or the ticket that it made."""
        return self._secret or (ticket_of(self._host) if self.mode == "ticket" else CODE)

    @property
    def session(self) -> Session:
        return self.duel.session

    @property
    def contact(self) -> ContactOpening:
        return ContactOpening(
            self.device, self.raw.channel.role, self.raw.exporter, pinned(self.them, self.me)
        )

    @property
    def pair(self) -> PairOpening | JoinOpening | AddOpening:
        role, exporter = self.raw.channel.role, self.raw.exporter
        if self._pair is None and self.mode == "device":
            entropy = FixedEntropy("partner")
            self._pair = (
                JoinOpening(Joining(CODE, new_device()), exporter, entropy)
                if role == "dialer"
                else AddOpening(self.device, exporter, CODE, entropy)
            )
        if self._pair is None:
            self._pair = PairOpening(
                self.device,
                self.raw.channel.role,
                self.raw.exporter,
                self.shared(),
                FixedEntropy("partner"),
            )
        return self._pair

    def shared(self) -> PairSecret:
        """What a pairing is about, as this side has it."""
        if isinstance(self.secret, Ticket) and self.raw.channel.role == "listener":
            return issued_of(self.secret)
        return self.secret

    def _ticket_tag(self) -> bytes:
        """That of a dialer; a listener that says hello all the same has none."""
        return self.pair.first_message() or bytes(32)

    # One message for each step. Reading the other side's comes first where the step needs it.

    def hello(self) -> Hello:
        if self.mode in ("pair", "device"):
            return Hello(VERSIONS, self.mode, self.pair.method, self.pair.first_message())
        if self.mode == "ticket":
            return Hello(VERSIONS, "ticket", "", self._ticket_tag())
        tags = dial_tags([pinned(self.them, self.me)], self.raw.exporter, FixedEntropy("tags"))
        return Hello(VERSIONS, "contact", "", tags)

    def welcome(self) -> Welcome:
        if self.mode == "contact":
            return Welcome(VERSION, self.contact.accept_tag())
        hello = self.raw.last(Hello)
        assert isinstance(hello, Hello)
        self.pair.receive_first(hello.proof)
        return Welcome(VERSION, self.pair.first_message())

    def prove(self) -> Prove:
        return self.contact.prove()

    def chain(self) -> PairChain:
        if self.raw.channel.role == "dialer":
            welcome = self.raw.last(Welcome)
            assert isinstance(welcome, Welcome)
            self.pair.receive_first(welcome.proof)
        return self.pair.chain_message()

    def confirm(self) -> PairConfirm:
        chain = self.raw.last(PairChain)
        assert isinstance(chain, PairChain)
        self.pair.receive_chain(chain)
        return self.pair.confirm_message()

    def gift(self) -> DeviceGift:
        assert isinstance(self.pair, AddOpening)
        device = new_device().signing.public
        certificate = self.me.certificate(device)
        secret = OwnSecret(1, Secret(bytes(32)))
        return self.pair.gift(Gift((certificate,), secret, "tablet"))

    def steps(self) -> Mapping[State, Callable[[], Message]]:
        """What moves the session on from each state."""
        return {
            State.HELLO: self.hello,
            State.WELCOME: self.welcome,
            State.PROOF: self.prove,
            State.PAIR_WELCOME: self.welcome,
            State.PAIR_CHAIN: self.chain,
            State.PAIR_CONFIRM: self.confirm,
            State.PAIR_DONE: PairDone,
            State.DEVICE_WELCOME: self.welcome,
            State.DEVICE_CHAIN: self.chain,
            State.DEVICE_CONFIRM: self.confirm,
            State.DEVICE_GIFT: self.gift,
            State.UP: lambda: messages.Bye(0),
            State.PAIRED: lambda: messages.Bye(0),
        }

    def bring_to(self, state: State) -> Partner:
        """Take proper steps until the session is in `state`."""
        if state is State.CHANNEL:
            return self
        self.duel.pump()
        while self.session.state is not state:
            self.duel.say(self.steps()[self.session.state]())
        return self


def partner(role_of_session: Role, mode: str, me: Person, them: Person) -> Partner:
    """A partner for a session of that role, with the QR code's or the typed code's run."""
    role: Role = "listener" if role_of_session == "dialer" else "dialer"
    return Partner(role, me, them, mode)
