"""Judging the keys of requests by the config in force."""

import contextvars
from dataclasses import dataclass

from kit import clock, config, dynconf
from maas_authproxy.audit import model as audit
from maas_authproxy.config import PARTNERS
from maas_authproxy.keys import model


@dataclass(frozen=True, slots=True)
class Visit:
    """A request whose key was judged; `who` is what the trail keeps of that."""

    partner: model.Partner | None
    who: audit.Who


_visit: contextvars.ContextVar[Visit] = contextvars.ContextVar("maas_authproxy_visit")


def visit() -> Visit:
    """The visit of the request at hand; LookupError outside of one."""
    return _visit.get()


class Gate:
    """Judges keys; a new version of the config is in force with the next request."""

    def __init__(self, secret: config.Secret, dynamic: dynconf.Configs) -> None:
        self._secret = secret
        self._dynamic = dynamic
        self._partners: object = None
        self._keyring = model.Keyring(())

    def let_in(self, presented: str) -> Visit:
        """The visit that this key begins; its partner is None when the key is not good."""
        partners = self._dynamic.get(PARTNERS)
        if partners is not self._partners:
            self._partners, self._keyring = partners, model.Keyring(partners)
        verdict = self._keyring.judge(presented, secret=self._secret.reveal(), now=clock.now())
        name = None if verdict.partner is None else verdict.partner.name
        begun = Visit(verdict.partner, audit.Who(name, verdict.key_id))
        _visit.set(begun)
        return begun
