"""Which language to speak to a person, and the texts of the world in it (`locale/`)."""

from multidict import MultiMapping

from kit import texts

CATALOGUE = texts.Catalogue("sandbox")


def of(headers: MultiMapping[str]) -> str:
    """`ru` or `en`, whichever the app or the browser prefers; Russian when it prefers neither."""
    preferred = headers.get("X-Request-Language") or headers.get("Accept-Language", "")
    asked = sorted(preferred.split(","), key=_weight, reverse=True)
    known = (part.strip()[:2].lower() for part in asked if _weight(part) > 0)
    return next((one for one in known if one in texts.LANGUAGES), "ru")


def _weight(part: str) -> float:
    _, _, quality = part.partition(";q=")
    try:
        return float(quality) if quality else 1.0
    except ValueError:
        return 0.0
