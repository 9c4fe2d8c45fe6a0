"""Deliberate bugs of maas and its edge, each with the check that must fail while it is there."""

from chaos.maas import access, checks, rules
from chaos.planted import Edit, Fault

_MAAS = "services/maas/maas"
_EDGE = "services/maas-authproxy/maas_authproxy"
_KIT = "libs/kit/kit"

FAULTS = (
    Fault(
        "no index keeps one live subscription per person",
        rules.one_live_subscription,
        sql=(
            "DROP INDEX subscriptions.subscriptions_one_live",
            """CREATE UNIQUE INDEX subscriptions_one_live ON subscriptions.subscriptions (maas_user_id)
            WHERE status IN ('reserved', 'activated')""",
        ),
    ),
    Fault(
        "no constraint keeps rides within the tariff",
        rules.rides_within_the_tariff,
        sql=(
            "ALTER TABLE subscriptions.subscriptions DROP CONSTRAINT subscriptions_rides_within_tariff",
            """ALTER TABLE subscriptions.subscriptions ADD CONSTRAINT subscriptions_rides_within_tariff
            CHECK (rides_taken BETWEEN 0 AND taxi_rides)""",
        ),
    ),
    Fault(
        "the ledger is not counted",
        rules.rides_within_the_tariff,
        sql=(
            "ALTER TABLE subscriptions.rides DISABLE TRIGGER count_ride",
            "ALTER TABLE subscriptions.rides ENABLE TRIGGER count_ride",
        ),
    ),
    Fault(
        "a paid subscription can be canceled",
        rules.answers_in_order,
        (
            Edit(
                f"{_MAAS}/subscriptions/queries.py",
                "canceled_at = now()\nWHERE pass_id = %(pass_id)s AND ",
                "canceled_at = now()\nWHERE pass_id = %(pass_id)s AND true OR pass_id = %(pass_id)s AND ",
            ),
        ),
    ),
    Fault(
        "a canceled sale may be repeated",
        rules.answers_in_order,
        (
            Edit(
                f"{_MAAS}/subscriptions/actions.py",
                " or known.status not in (Status.RESERVED, Status.ACTIVATED):",
                ":",
            ),
        ),
    ),
    Fault(
        "a repeated sale is refused for its own token",
        rules.token_buys_once,
        (
            Edit(
                f"{_MAAS}/subscriptions/actions.py",
                "    if (known := await queries.find(db, sale.pass_id)) is not None:\n        return await _repeated",
                "    await _checked_token(db, salt, sale)\n"
                "    if (known := await queries.find(db, sale.pass_id)) is not None:\n        return await _repeated",
            ),
        ),
    ),
    Fault(
        "a token buys again and again",
        rules.token_buys_once,
        (
            Edit(
                f"{_MAAS}/tokens/queries.py", "      AND used_by_pass_id IS NULL AND expires_at", "      AND expires_at"
            ),
            Edit(f"{_MAAS}/tokens/queries.py", "token_hash)s AND used_by_pass_id IS NULL", "token_hash)s"),
        ),
    ),
    Fault(
        "the budget is counted without its lock",
        rules.no_more_than_the_budget,
        (Edit(f"{_MAAS}/subscriptions/actions.py", "await queries.lock_budget(tx, variant.tariff.tariff_id)", "pass"),),
    ),
    Fault(
        "a ride that has ended is not known again",
        rules.answers_in_order,
        (Edit(f"{_MAAS}/rides/actions.py", "if known.state is RideState.RELEASED:", "if False:"),),
    ),
    Fault(
        "the promo code is ordered outside the activation's transaction",
        checks.code_ordered_with_the_activation,
        (
            Edit(
                f"{_MAAS}/subscriptions/actions.py",
                """            if activated is not None and activated.needs_promocode:
                await order_promocode(queue, tx, pass_id)
""",
                """        if activated is not None and activated.needs_promocode:
            async with db.transaction() as later:
                await order_promocode(queue, later, pass_id)
""",
            ),
        ),
    ),
    Fault(
        "each attempt at a promo code asks for another one",
        checks.one_promo_code,
        (Edit(f"{_MAAS}/promocodes/actions.py", "token=subscription.pass_id,", "token=str(clock.now().timestamp()),"),),
    ),
    Fault(
        "a message is acknowledged before it is stored",
        checks.message_survives,
        (
            Edit(
                f"{_KIT}/stq/ingest.py",
                "        backoff = loops.Backoff()\n",
                "        [await delivery.ack() for _, delivery in batch]\n        backoff = loops.Backoff()\n",
            ),
            Edit(
                f"{_KIT}/stq/ingest.py",
                "            await delivery.ack()\n            self._on",
                "            self._on",
            ),
        ),
    ),
    Fault(
        "the end of a task is written without looking at its lease",
        checks.late_write_is_refused,
        (
            Edit(
                f"{_KIT}/stq/ledger.py",
                "WHERE id = %(id)s AND lease_token = %(token)s AND state = 'running'",
                "WHERE id = %(id)s AND %(token)s IS NOT NULL AND state = 'running'",
            ),
        ),
    ),
    Fault(
        "an unknown outcome is called a refusal",
        checks.what_was_done_is_not_denied,
        (
            Edit(
                f"{_KIT}/pg/transaction.py",
                "scope.note_write()\n            raise faults.OutcomeUnknown from None",
                "raise faults.Unavailable from None",
            ),
        ),
    ),
    Fault(
        "a repeated key in JSON is taken",
        access.doubtful_json_is_refused,
        (Edit(f"{_KIT}/strict_json.py", "if len(found) != len(pairs):", "if False:"),),
    ),
    Fault(
        "any caller may say who the passenger is",
        access.identity_from_the_gateway_alone,
        (
            Edit(
                f"{_KIT}/web/api.py",
                "if route.callers is not None and caller not in route.callers:",
                "if False:",
            ),
        ),
    ),
    Fault(
        "an expired key opens the edge",
        access.expired_key_is_refused,
        (Edit(f"{_EDGE}/keys/model.py", "return has_begun and not has_ended", "return has_begun"),),
        service="maas-authproxy",
    ),
    Fault(
        "the edge passes headers through",
        access.no_identity_from_outside,
        (
            Edit(f"{_EDGE}/proxy/handlers.py", "maas=ctx.maas, asked=asked)", "maas=ctx.maas, asked=asked, of=call)"),
            Edit(f"{_EDGE}/proxy/actions.py", "asked: model.Asked) -> http_client.Raw:", "asked, of):"),
            Edit(
                f"{_EDGE}/proxy/actions.py",
                "headers=_headers(asked),",
                "headers={k: v for k, v in of.headers.items() if k.startswith('X-Y')} | _headers(asked),",
            ),
        ),
        service="maas-authproxy",
    ),
    Fault(
        "the edge repeats a change",
        checks.write_is_sent_once,
        (Edit(f"{_EDGE}/proxy/model.py", "return self.asks or GET[0] in self.methods", "return True"),),
        service="maas-authproxy",
    ),
)
CHECKS = tuple(dict.fromkeys(fault.check for fault in FAULTS))
