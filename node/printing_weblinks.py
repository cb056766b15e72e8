"""What the commands about links print; see `printing`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import times
from .printing import Output

if TYPE_CHECKING:
    from .views_drops import DropLink
    from .views_sharing import ShareItem
    from .views_weblinks import WebLink

_BORDER: Final = 2
_ID_DIGITS: Final = 8


def made(out: Output, items: Sequence[ShareItem], link: WebLink, *, qr: bool) -> None:
    """A new link, to be passed on, and what it leads to."""
    if not out.as_json:
        out.leaves(list(items))
    for item in items:
        if out.as_json or item.code is not None:
            out.share_item(item)
    if out.as_json:
        out.value(link)
        return
    url = link.url or ""
    often = "once" if link.count == 1 else f"{link.count} times"
    many = "1 photo" if link.photos == 1 else f"{link.photos} photos"
    form = "as the original file" if link.photos == 1 else "as the original files"
    out.say(
        f"{many}{', ' + form if link.original else ''}. Can be opened {often}, until"
        f" {times.shown(link.expires)}, while this node runs. Whoever has the link can open it:\n"
    )
    address(out, url, qr=qr)
    out.say(f"\n`kinlight links revoke {link.id[:_ID_DIGITS]}` takes it back.")
    warn(out, link)


def address(out: Output, url: str, *, qr: bool) -> None:
    """The address of a page, with its QR code where that has room."""
    out.say(url, style="bold")
    if qr:
        _draw(out, url)


def warn(out: Output, link: WebLink | DropLink) -> None:
    """What is to be known of the way by which a page comes."""
    if link.secure:
        out.say(
            "The browser will warn of a certificate that it does not know. It is this node's own"
            f" if its SHA-256 fingerprint is {link.fingerprint}"
        )
    elif link.host != "127.0.0.1":
        out.say(
            "The page goes over the local network unencrypted (the photos don't): whoever controls"
            " that network can change the page and read along. `--https` encrypts it.",
            style="yellow",
        )


def listed(out: Output, links: Sequence[WebLink]) -> None:
    """Links that were made here, and how they stand."""
    if out.as_json:
        for link in links:
            out.value(link)
        return
    if not links:
        out.say("No links. `kinlight share PHOTO --link` makes one.")
        return
    rows = [
        (
            link.id[:_ID_DIGITS],
            link.state.replace("-", " "),
            times.shown(link.expires),
            f"{link.used} of {link.count}",
            f"{link.photos}, {'originals' if link.original else 'copies'}",
            link.host if link.served else f"{link.host}: {link.reason or 'not served'}",
        )
        for link in links
    ]
    out.table(("id", "", "until", "opened", "photos", "at"), rows)


def _draw(out: Output, url: str) -> None:
    import segno

    code = segno.make(url, error="l", micro=False)
    if code.symbol_size(border=_BORDER)[0] > shutil.get_terminal_size().columns:
        return
    out.say("")
    code.terminal(border=_BORDER, compact=True)
