"""The music backend in a test: one token for each grant, for ever."""

import datetime
from dataclasses import dataclass, field
from typing import Any

import pytest

from kit import clock
from testkit import neighbours as mocks

ISSUE, REVOKE = "/v1/temporary-tokens", "/v1/temporary-tokens/{grant_id}"


@dataclass(slots=True)
class Backend:
    """Issues and revokes as the real one does."""

    world: Any
    revoked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.neighbours.music_backend.on("POST", ISSUE, answer=self.issued)
        self.world.neighbours.music_backend.on("DELETE", REVOKE, answer=self._ended)

    @property
    def asked(self) -> list[Any]:
        """What it was asked to issue, in order."""
        return [call.json for call in self.world.neighbours.music_backend.calls("POST", ISSUE)]

    def issued(self, call: mocks.Call) -> Any:
        """The answer to a request for a token."""
        grant_id, ttl_s = call.json["id"], call.json["ttl_s"]
        if grant_id in self.revoked:
            return mocks.Reply({"code": "token_revoked", "message": ""}, 410)
        expires_at = clock.now() + datetime.timedelta(seconds=ttl_s)
        return {"id": grant_id, "token": f"secret-{grant_id}", "expires_at": clock.to_wire(expires_at)}

    def _ended(self, call: mocks.Call) -> Any:
        self.revoked.append(call.args["grant_id"])
        return {}


@pytest.fixture
def backend(world: Any) -> Backend:
    """A willing music backend."""
    return Backend(world)
