"""`new-key` makes an API key for a partner."""

import argparse
import datetime
import json
import re
import sys
from collections.abc import Sequence

from kit import clock, config, logs, process
from maas_authproxy.config import NAME_OF_PARTNER, PREFIX, KeySecret, Scope
from maas_authproxy.context import Context
from maas_authproxy.keys import model

NEW_KEY_WORD = "new-key"
_HELP = "make an API key, print it once, and print the config entry to add"
_LONGEST_DAYS = 3660


def _arguments(parser: argparse.ArgumentParser) -> None:
    """Whose key, for how long, and in which form."""
    parser.add_argument("partner", metavar="PARTNER", type=_partner, help="as the config names it: vtb")
    parser.add_argument("--days", metavar="N", type=_days, help="the key ends after N days; without it, never")
    parser.add_argument("--json", action="store_true", help="print {key, partner}, the latter as an entry of its own")


def _partner(text: str) -> str:
    if not re.fullmatch(NAME_OF_PARTNER, text):
        raise argparse.ArgumentTypeError("not a partner's name: lower-case letters, digits and -, at most 32")
    return text


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"not a number of days from 1 to {_LONGEST_DAYS}")
    return int(text)


async def run_new_key(ctx: Context, given: argparse.Namespace) -> int:
    """The command inside of a whole process."""
    return _print_new_key(ctx.config, given)


def main_new_key(argv: Sequence[str]) -> int:
    """The command with nothing but the secret in the environment; the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m maas_authproxy {NEW_KEY_WORD}", description=_HELP)
    _arguments(parser)
    given = parser.parse_args(argv)
    # The lines of the log go where the key is printed, and a program may be reading there.
    logs.setup("maas-authproxy", "ERROR")
    try:
        settings = config.load(KeySecret, PREFIX)
    except config.Broken as broken:
        sys.stderr.write(f"{broken}\n")
        return 2
    return _print_new_key(settings, given)


def _print_new_key(settings: KeySecret, given: argparse.Namespace) -> int:
    not_after = clock.now() + datetime.timedelta(days=given.days) if given.days else None
    made = model.new_key(given.partner, secret=settings.key_secret.reveal(), not_after=not_after)
    sys.stdout.write(_as_json(made) if given.json else _as_text(made))
    return 0


def _as_json(made: model.NewKey) -> str:
    partner = {"partner": made.partner, "scopes": list(Scope), "keys": [dict(made.entry)]}
    return json.dumps({"key": made.text, "partner": partner}) + "\n"


def _as_text(made: model.NewKey) -> str:
    return (
        f"The key, printed this once; hand it to {made.partner} safely:\n"
        f"  {made.text}\n"
        f"In MAAS_AUTHPROXY_PARTNERS, add to the keys of {made.partner}:\n"
        f"  - {json.dumps(dict(made.entry))}\n"
    )


NEW_KEY = process.Command(NEW_KEY_WORD, _HELP, _arguments, run_new_key)
