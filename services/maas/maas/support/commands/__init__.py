"""`find`, `revoke` and `reissue-promocode`: what support asks and does.

Exit status: 0 found or done, 1 nobody found or refused, 2 a wrong command line.
"""

import argparse
import sys
from collections.abc import Iterable

import orjson

from kit import fields, process
from maas.context import Context
from maas.promocodes import actions as promocodes
from maas.subscriptions.model import Status
from maas.support import actions, model, schemas
from maas.support.commands import page

_LONGEST_REASON = 256


def _id(text: str) -> str:
    if not fields.Id.pattern.fullmatch(text):
        raise argparse.ArgumentTypeError("not an id: 1 to 64 visible ASCII characters")
    return text


def _reason(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_REASON or not fields.Text.pattern.fullmatch(text):
        raise argparse.ArgumentTypeError(f"not a reason: 1 to {_LONGEST_REASON} characters on one line")
    return text


def _arguments_of_find(parser: argparse.ArgumentParser) -> None:
    keys = parser.add_mutually_exclusive_group(required=True)
    for by in model.By:
        keys.add_argument(f"--{by.value.replace('_', '-')}", type=_id, metavar="ID", dest=by.value)
    keys.add_argument("--phone", action="store_true", help="reads the phone from stdin, so that no shell remembers it")
    parser.add_argument("--json", action="store_true", help="a JSON list instead of sentences")


async def _find(ctx: Context, arguments: argparse.Namespace) -> int:
    cases = await _found(ctx, arguments)
    if arguments.json:
        _print([orjson.dumps(schemas.CASES.dump(cases), option=orjson.OPT_INDENT_2).decode()])
    else:
        _print(page.of_cases(cases, order_id=arguments.order_id))
    return 0


async def _found(ctx: Context, arguments: argparse.Namespace) -> list[model.Case]:
    if arguments.phone:
        return await actions.find_by_phone(db=ctx.db, personal=ctx.personal, phone=_line("Phone: "))
    by, value = next((by, getattr(arguments, by.value)) for by in model.By if getattr(arguments, by.value) is not None)
    return await actions.find(db=ctx.db, by=by, value=value)


def _arguments_of_revoke(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pass_id", type=_id, metavar="PASS_ID")
    parser.add_argument("--reason", type=_reason, required=True, metavar="TEXT", help="kept with the subscription")
    parser.add_argument("--yes", action="store_true", help="says that this is meant; a terminal is asked")


async def _revoke(ctx: Context, arguments: argparse.Namespace) -> int:
    purchase = await actions.get_purchase(db=ctx.db, pass_id=arguments.pass_id)
    if purchase.subscription.status is Status.ACTIVATED and not _is_meant(purchase, arguments):
        _print(["Nothing was done."])
        return 1
    was_revoked = purchase.subscription.cancel_reason == model.REVOKED
    await actions.revoke(db=ctx.db, queue=ctx.queue, pass_id=arguments.pass_id, reason=arguments.reason)
    _print(page.of_revoked(await actions.get_purchase(db=ctx.db, pass_id=arguments.pass_id), is_repeat=was_revoked))
    return 0


def _is_meant(purchase: model.Purchase, arguments: argparse.Namespace) -> bool:
    if arguments.yes:
        return True
    _print(page.of_purchase(purchase))
    if not sys.stdin.isatty():
        _print(["", "This ends the subscription for good. Say --yes when it is meant."])
        return False
    return _line("\nThis ends the subscription for good, and nothing is paid back. Revoke it? [y/N] ").lower() == "y"


def _arguments_of_reissue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pass_id", type=_id, metavar="PASS_ID")


async def _reissue(ctx: Context, arguments: argparse.Namespace) -> int:
    before = await actions.get_purchase(db=ctx.db, pass_id=arguments.pass_id)
    if before.code not in model.REISSUABLE:
        _print(page.of_refused_reissue(before))
        return 0 if before.code is model.Code.ISSUED else 1
    await promocodes.reissue(db=ctx.db, queue=ctx.queue, pass_id=arguments.pass_id)
    _print(page.of_reissued(before, await actions.get_purchase(db=ctx.db, pass_id=arguments.pass_id)))
    return 0


def _line(prompt: str) -> str:
    if sys.stdin.isatty():
        sys.stderr.write(prompt)
        sys.stderr.flush()
    return sys.stdin.readline().strip()


def _print(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


COMMANDS = (
    process.Command("find", "who somebody is, what they bought, and where it stands", _arguments_of_find, _find),
    process.Command("revoke", "end a paid subscription with its promo code", _arguments_of_revoke, _revoke),
    process.Command("reissue-promocode", "have a promo code made that was given up", _arguments_of_reissue, _reissue),
)
