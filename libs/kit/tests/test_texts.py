from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages import pofile

from kit import metrics, texts

HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\\n"

"""  # noqa: E501

RUSSIAN = (
    HEADER
    + """
msgid "Your pass is valid until {date}."
msgstr "Абонемент действует до {date}."

msgid "{n} member"
msgid_plural "{n} members"
msgstr[0] "{n} участник"
msgstr[1] "{n} участника"
msgstr[2] "{n} участников"

msgid "No rides left."
msgstr ""

#, fuzzy
msgid "Half done."
msgstr "Наполовину."

msgid "Broken {name}."
msgstr "Сломано {nmae}."
"""
)


@pytest.fixture
def catalogue(tmp_path: Path) -> texts.Catalogue:
    folder = tmp_path / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "demo.po").write_text(RUSSIAN, "utf-8")
    return texts.Catalogue("demo", tmp_path)


@pytest.fixture
def lenient() -> Iterator[None]:
    texts.be_strict(is_strict=False)
    yield
    texts.be_strict()


def test_translates_and_fills(catalogue: texts.Catalogue) -> None:
    assert catalogue.get("ru", "Your pass is valid until {date}.", date="1 мая") == "Абонемент действует до 1 мая."
    assert catalogue.get("en", "Your pass is valid until {date}.", date="May 1") == "Your pass is valid until May 1."


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0 участников"),
        (1, "1 участник"),
        (2, "2 участника"),
        (5, "5 участников"),
        (11, "11 участников"),
        (21, "21 участник"),
        (104, "104 участника"),
    ],
)
def test_knows_russian_plurals(catalogue: texts.Catalogue, n: int, text: str) -> None:
    assert catalogue.plural("ru", "{n} member", "{n} members", n) == text


def test_knows_english_plurals(catalogue: texts.Catalogue) -> None:
    assert catalogue.plural("en", "{n} member", "{n} members", 1) == "1 member"
    assert catalogue.plural("en", "{n} member", "{n} members", 0) == "0 members"


def test_shows_the_msgid_without_a_translation_and_counts_it(catalogue: texts.Catalogue) -> None:
    before = metrics.value("texts_missing_total", package="demo", language="ru")
    assert catalogue.get("ru", "No rides left.") == "No rides left."
    assert catalogue.get("ru", "Half done.") == "Half done."
    assert catalogue.get("ru", "Never heard of.") == "Never heard of."
    assert metrics.value("texts_missing_total", package="demo", language="ru") == before + 3


def test_counts_nothing_for_what_is_there_or_is_english(catalogue: texts.Catalogue) -> None:
    before = metrics.value("texts_missing_total", package="demo")
    catalogue.get("ru", "Your pass is valid until {date}.", date="")
    catalogue.plural("ru", "{n} member", "{n} members", 1)
    catalogue.get("en", "No rides left.")
    assert metrics.value("texts_missing_total", package="demo") == before


def test_answers_an_unknown_language_in_english(catalogue: texts.Catalogue) -> None:
    assert catalogue.get("kk", "No rides left.") == "No rides left."


def test_answers_the_empty_text(catalogue: texts.Catalogue) -> None:
    assert catalogue.get("ru", "") == ""


@pytest.mark.usefixtures("lenient")
def test_leaves_a_forgotten_placeholder_in_production(catalogue: texts.Catalogue) -> None:
    assert catalogue.get("en", "From {a} to {b}", a="x") == "From x to {b}"


def test_refuses_a_forgotten_placeholder_in_tests(catalogue: texts.Catalogue) -> None:
    with pytest.raises(texts.Incomplete):
        catalogue.get("en", "From {a} to {b}", a="x")
    with pytest.raises(texts.Incomplete):
        catalogue.get("ru", "Your pass is valid until {date}.")


def test_lists_what_is_not_translated(catalogue: texts.Catalogue) -> None:
    assert catalogue.untranslated("ru", ["New.", "{n} member"]) == ["Half done.", "New.", "No rides left."]


def test_lists_wrong_placeholders(catalogue: texts.Catalogue) -> None:
    assert catalogue.mismatched("ru") == ["Broken {name}."]


def test_finds_the_catalogue_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "packaged_demo" / "locale" / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (tmp_path / "packaged_demo" / "__init__.py").touch()
    (folder / "packaged_demo.po").write_text(RUSSIAN, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = texts.Catalogue("packaged_demo")
    assert found.languages == ["ru"]
    assert found.plural("ru", "{n} member", "{n} members", 2) == "2 участника"


def test_refuses_a_broken_catalogue(tmp_path: Path) -> None:
    folder = tmp_path / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "demo.po").write_text('mgsid "a"\nmsgstr "b"', "utf-8")
    with pytest.raises(pofile.PoFileError):
        texts.Catalogue("demo", tmp_path)


@pytest.mark.usefixtures("lenient")
def test_speaks_with_the_first_catalogue_that_knows(catalogue: texts.Catalogue, tmp_path: Path) -> None:
    folder = tmp_path / "other" / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "other.po").write_text(HEADER + 'msgid "Hello."\nmsgstr "Здравствуйте."\n', "utf-8")
    say = texts.speaker(catalogue, texts.Catalogue("other", tmp_path / "other"))
    assert say("ru", "Hello.") == "Здравствуйте."
    assert say("ru", "Your pass is valid until {date}.") == "Абонемент действует до {date}."
    assert say("ru", "Never heard of.") == "Never heard of."
    assert say("en", "Hello.") == "Hello."
