"""Texts for people: gettext catalogues of a package, Russian and English, compiled in memory when they are opened.

    catalogue = texts.Catalogue("maas")            # maas/locale/ru/LC_MESSAGES/maas.po
    catalogue.get("ru", "Your pass is valid until {date}.", date=…)
    catalogue.plural("ru", "{n} ride left", "{n} rides left", 5)

The msgid is the English text, so it is what people see where a translation is missing.
"""

import gettext
import importlib.util
import io
import string
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from babel.messages import mofile, pofile

from kit import logs, metrics

LANGUAGES = ("ru", "en")
SOURCE_LANGUAGE = "en"

_missing = metrics.counter("texts_missing_total", "Texts shown without a translation", ("package", "language"))
_is_strict = False

logs.allow("package", "language")


class Incomplete(Exception):
    """A text was given without a value for one of its placeholders; raised only while strict."""


def be_strict(*, is_strict: bool = True) -> None:
    """Makes a missing placeholder an error, as it is in tests; in production its name is shown instead."""
    global _is_strict
    _is_strict = is_strict


class Catalogue:
    """The texts of one package; `folder` is for catalogues that are not beside the package's code."""

    def __init__(self, package: str, folder: Path | None = None) -> None:
        self.package = package
        self._files = _files(package, folder or _folder_of(package))
        self._catalogs = {language: _read(path, language) for language, path in self._files.items()}
        self._compiled = {language: _compiled(catalog) for language, catalog in self._catalogs.items()}

    @property
    def languages(self) -> list[str]:
        """The languages that have a catalogue."""
        return sorted(self._compiled)

    def get(self, language: str, msgid: str, /, **args: Any) -> str:
        """The text in `language` with its placeholders filled; the msgid when nobody translated it."""
        found = self._compiled.get(language)
        text = self._counted(language, msgid, msgid if found is None or not msgid else found.gettext(msgid))
        return _filled(text, args) if args or _is_strict else text

    def knows(self, language: str, msgid: str) -> bool:
        """True when `language` has a translation of its own."""
        return bool(msgid) and msgid in self._known(language)

    def plural(self, language: str, singular: str, plural: str, n: int, /, **args: Any) -> str:
        """The form of the text that goes with `n`, which also fills `{n}`."""
        found = self._compiled.get(language)
        text = (singular if n == 1 else plural) if found is None else found.ngettext(singular, plural, n)
        return _filled(self._counted(language, singular, text), {"n": n, **args})

    def untranslated(self, language: str, msgids: Iterable[str] = ()) -> list[str]:
        """Those of `msgids` and of the catalogues' own msgids that have no (complete) translation into `language`."""
        wanted = {*msgids, *(msgid for catalog in self._catalogs.values() for msgid in _entries(catalog))}
        entries = _entries(self._catalogs[language]) if language in self._catalogs else {}
        return sorted(msgid for msgid in wanted if not all(entries.get(msgid, [""])))

    def mismatched(self, language: str) -> list[str]:
        """The msgids whose translation has other placeholders than the msgid, `{n}` of a plural aside."""
        return sorted(
            msgid
            for msgid, forms in _entries(self._catalogs[language]).items()
            if any(form and _placeholders(form) - {"n"} != _placeholders(msgid) - {"n"} for form in forms)
        )

    def _counted(self, language: str, msgid: str, text: str) -> str:
        if text == msgid and language != SOURCE_LANGUAGE and msgid not in self._known(language):
            _missing.labels(self.package, language if language in LANGUAGES else "other").inc()
        return text

    def _known(self, language: str) -> Mapping[Any, str]:
        compiled = self._compiled.get(language)
        return {} if compiled is None else compiled._catalog  # type: ignore[attr-defined]


def speaker(*catalogues: Catalogue) -> Callable[[str, str], str]:
    """`say(language, msgid)`: the text of the first catalogue that has one, else the msgid itself."""

    def say(language: str, msgid: str) -> str:
        knowing = (catalogue for catalogue in catalogues if catalogue.knows(language, msgid))
        found = next(knowing, None)
        return msgid if found is None else found.get(language, msgid)

    return say


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is not a package with a folder for its locale")
    return Path(spec.submodule_search_locations[0]) / "locale"


def _files(package: str, folder: Path) -> dict[str, Path]:
    paths = {language: folder / language / "LC_MESSAGES" / f"{package}.po" for language in LANGUAGES}
    return {language: path for language, path in paths.items() if path.is_file()}


def _read(path: Path, language: str) -> Any:
    with path.open("rb") as file:
        return pofile.read_po(file, locale=language, abort_invalid=True)


def _compiled(catalog: Any) -> gettext.GNUTranslations:
    binary = io.BytesIO()
    mofile.write_mo(binary, catalog)
    binary.seek(0)
    return gettext.GNUTranslations(binary)


def _entries(catalog: Any) -> dict[str, list[str]]:
    """msgid (of a plural, its singular) → every form of the translation; a fuzzy one counts as none."""
    found: dict[str, list[str]] = {}
    for message in catalog:
        if message.id:
            forms = list(message.string) if message.pluralizable else [message.string]
            msgid = message.id[0] if message.pluralizable else message.id
            found[msgid] = [""] if message.fuzzy else forms
    return found


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _filled(text: str, args: dict[str, Any]) -> str:
    try:
        return text.format_map(args if _is_strict else _Lenient(args))
    except (KeyError, IndexError, ValueError, AttributeError) as wrong:
        if _is_strict:
            raise Incomplete(f"{text!r} lacks {wrong}") from wrong
        logs.error("text_incomplete")
        return text


class _Lenient(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        logs.error("text_incomplete", name=name)
        return "{" + name + "}"
