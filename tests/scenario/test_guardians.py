"""The paper is lost: two of three guardians bring the words back, from the command line."""

from __future__ import annotations

from pathlib import Path

from .household import Household, together


def test_guardians_read_out_their_shares_and_a_new_machine_is_the_same_identity(
    household: Household, tmp_path: Path
) -> None:
    anna, bob, carol = map(household.person, ("Anna", "Bob", "Carol"))
    together(anna.make, bob.make, carol.make)
    for other in (bob, carol):
        household.introduce(anna, other)
    words = ("--recovery-words-file", anna.words_file)
    split = ("guardians", "split", "Bob", "Carol", "--need", "2")
    assert anna.run(*split, "--of", "3", *words, code=2).error == "bad-request"
    assert anna.run(*split, "--recovery-words-file", bob.words_file, code=5).error == "other-words"
    assert anna.run(*split, *words).value["need"] == 2
    anna.until(
        lambda node: node.guardians(), lambda found: all(each.kept for each in found.guardians)
    )
    assert bob.run("guardians", "reveal", "Anna", code=2).error == "bad-request"
    files: list[Path] = []
    for guardian in (bob, carol):
        (guarded,) = guardian.run("guardians", "list").value["guarded"]
        assert guarded["contact"] == "Anna"
        file = tmp_path / guardian.name
        file.write_text(guardian.run("guardians", "reveal", "Anna", "--yes").value["share"])
        files.append(file)
    assert anna.run("guardians", "reveal", "Bob", "--yes", code=6).error == "no-share"

    anew = household.person("Anna", folder="annas-new-machine")
    recover = ("recover", "--name", "Anna", "--passphrase-file", anew.passphrase_file)
    assert anew.run(*recover, "--share-file", files[0], code=5).error == "shares-few"
    twice = ("--share-file", files[0], "--share-file", files[0])
    assert anew.run(*recover, *twice, code=5).error == "share-twice"
    files[1].write_text(files[1].read_text().replace(" ", "  ", 3))
    found = anew.run(*recover, "--share-file", files[0], "--share-file", files[1]).value
    assert found["state"] == "waiting"
    assert (
        anew.ask(lambda node: node.identity()).identity
        == anna.ask(lambda node: node.identity()).identity
    )
    checked = anna.run("recover", "--check-words", *words).value
    assert checked["words_checked"]
