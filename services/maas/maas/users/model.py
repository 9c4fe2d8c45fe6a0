"""A person and what may be wrong with one."""

import enum
from dataclasses import dataclass

import phonenumbers

from kit import errors


class UidKind(enum.StrEnum):
    """A full account of Yandex, or one that is only a phone."""

    PORTAL = "portal"
    PHONISH = "phonish"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of Yandex that may be bound to a person."""

    yandex_uid: str
    kind: UidKind


@dataclass(frozen=True, slots=True)
class User:
    """One person; everything but the phone's id may still be unknown.

    `is_checked` says that a search for a portal account found none, `is_stale` that nothing was looked up for long.
    """

    personal_phone_id: str
    maas_user_id: str | None = None
    yandex_uid: str | None = None
    uid_kind: str | None = None
    phone_id: str | None = None
    is_checked: bool = False
    is_stale: bool = False

    @property
    def is_matched(self) -> bool:
        """True when this person of the metro is known in taxi."""
        return self.maas_user_id is not None and self.yandex_uid is not None

    @property
    def account(self) -> Account | None:
        """The account that this person is bound to."""
        return Account(self.yandex_uid, UidKind(self.uid_kind)) if self.yandex_uid and self.uid_kind else None

    def may_be_another(self, personal_phone_id: str) -> bool:
        """True when the one who now comes with this phone may be somebody whom this row does not know (MA-65)."""
        return self.maas_user_id is None and (self.is_stale or self.personal_phone_id != personal_phone_id)

    def accepts(self, account: Account) -> bool:
        """True when `account` is news: a portal account is kept for good, a phonish one gives way (MA-21, MA-69)."""
        return self.uid_kind != UidKind.PORTAL and self.yandex_uid != account.yandex_uid


class PhoneInvalid(errors.Invalid):
    """This is not a phone number."""


class PhoneAlreadyBound(errors.Conflict):
    """This phone belongs to another person of the metro."""


class MaasUserAlreadyBound(errors.Conflict):
    """This person of the metro already has another phone."""


class AccountAlreadyBound(errors.Conflict):
    """This account of taxi belongs to another person of the metro."""


class PhoneChangeNotSupported(errors.Forbidden):
    """The phone of a person can't be changed."""


class MaasUserNotFound(errors.NotFound):
    """There is no such person of the metro here."""


def normalized_phone(phone: str) -> str:
    """`phone` in E.164 (`+79161234567`); Russian numbers may omit the country. PhoneInvalid when it is none."""
    try:
        number = phonenumbers.parse(phone, "RU")
    except phonenumbers.NumberParseException:
        raise PhoneInvalid from None
    if not phonenumbers.is_valid_number(number):
        raise PhoneInvalid
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
