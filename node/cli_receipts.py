"""The command about receipts: what others signed that they have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import errors, names, photo_errors, printing_receipts
from .command import HomeOption, JsonOption, running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .views_sharing import Receipt


def add_to(app: typer.Typer) -> None:
    """Put the command into the command line, in the order of its help."""
    app.command()(receipt)


def receipt(
    context: typer.Context,
    photo: Annotated[
        str | None, typer.Argument(metavar="ID", help="The photo's id or its beginning.")
    ] = None,
    who: Annotated[str | None, typer.Option("--with", help="Of this contact alone.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="KEY", help="Of this device alone.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write it to a new file.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Check one; needs no node.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show who signed that they have a photo, stored and verified: not that they saw it."""
    with running(context, home, json) as command:
        if check is not None:
            if (photo, who, device, out) != (None, None, None, None):
                raise errors.UsageError("--check FILE goes alone")
            from . import receipts

            printing_receipts.checked(command.out, receipts.in_file(check))
            return
        if photo is None:
            raise errors.UsageError("the ID is missing")
        found = [
            each
            for each in command.ask(lambda node: node.receipts(photo, who))
            if device is None or each.device.startswith(device.lower())
        ]
        if not found:
            raise photo_errors.NoReceiptError
        if out is not None:
            _write(found, out)
        printing_receipts.kept(command.out, found)
        if out is not None:
            command.out.say(f"Written to {names.shown(str(out))}.")


def _write(found: Sequence[Receipt], path: Path) -> None:
    """One receipt into a file, which must be new: it may be the only copy of another."""
    if len({each.encoded for each in found}) > 1:
        raise errors.UsageError(
            f"there are {len(found)} receipts: --with NAME and --device KEY choose one"
        )
    try:
        with path.open("xb") as file:
            file.write(bytes.fromhex(found[0].encoded))
    except FileExistsError:
        raise errors.NameTakenError(path.name) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise errors.UnwritableFolderError(f"{path.parent}, {reason}") from None
