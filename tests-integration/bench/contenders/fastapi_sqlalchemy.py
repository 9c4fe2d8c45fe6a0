"""FastAPI with SQLAlchemy 2's ORM on asyncpg and pydantic, on uvicorn with uvloop and httptools.

Written as their documentation teaches and then tuned: no access log, sessions that do not expire what was committed, a
row read by one SELECT, all that a command changes written by one flush.
"""

import argparse
import datetime
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Response
from pydantic import BaseModel
from sqlalchemy import DateTime, ForeignKey, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Action(StrEnum):
    PLAY = "play"
    PAUSE = "pause"
    NEXT = "next"
    PREVIOUS = "previous"
    PLAY_ITEM = "play_item"
    SET_VOLUME = "set_volume"
    SEEK = "seek"


class Table(DeclarativeBase):
    pass


class Player(Table):
    __tablename__ = "players"
    player_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(unique=True)
    yandex_uid: Mapped[str]
    status: Mapped[str]
    connection: Mapped[str]
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)
    pending: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    last_error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    version: Mapped[int]
    last_seq: Mapped[int]
    touched_at: Mapped[datetime.datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Command(Table):
    __tablename__ = "commands"
    __table_args__ = (UniqueConstraint("order_id", "command_id"),)
    player_id: Mapped[str] = mapped_column(ForeignKey("players.player_id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str]
    command_id: Mapped[str]
    action: Mapped[str]
    args: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int]
    status: Mapped[str]
    expires_at: Mapped[datetime.datetime] = mapped_column(DateTime(timezone=True))


class Task(Table):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    queue: Mapped[str]
    task_id: Mapped[str]
    kwargs: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Track(BaseModel):
    id: str
    title: str
    artists: list[str]
    album: str | None
    duration_ms: int
    cover_uri: str | None
    explicit: bool
    private: bool


class Button(BaseModel):
    allowed: bool


class Pending(BaseModel):
    command_id: str
    seq: int
    action: Action
    deadline: datetime.datetime


class LastError(BaseModel):
    command_id: str
    code: str


class Screen(BaseModel):
    player_id: str
    version: int
    playback: Literal["playing", "paused", "stopped", "buffering"]
    track: Track | None
    position_ms: int | None
    position_at: datetime.datetime | None
    volume: int | None
    actions: dict[Action, Button]
    pending: Pending | None
    last_error: LastError | None
    connection: Literal["online", "connecting", "lost"]
    polling_interval_ms: int


class Asked(BaseModel):
    order_id: str
    command_id: UUID
    action: Action
    args: dict[str, Any] = {}
    expected_version: int | None = None


class Accepted(BaseModel):
    command_id: UUID
    seq: int
    status: str
    version: int


app = FastAPI()
sessions: async_sessionmaker[AsyncSession]


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


type_of_session = Annotated[AsyncSession, Depends(session)]
type_of_uid = Annotated[str, Header(alias="X-Yandex-UID")]


def of_passenger(order_id: str, yandex_uid: str) -> Any:
    return select(Player).where(Player.order_id == order_id, Player.yandex_uid == yandex_uid, Player.status == "active")


@app.get("/4.0/music/v1/player/state", response_model=Screen)
async def state(
    order_id: Annotated[str, Query(max_length=64)],
    yandex_uid: type_of_uid,
    opened: type_of_session,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Any:
    player = await opened.scalar(of_passenger(order_id, yandex_uid))
    if player is None:
        raise HTTPException(406, "player_unavailable")
    etag = f'"{player.version}"'
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return Screen(
        player_id=player.player_id,
        version=player.version,
        playback=player.state["playback"],
        track=player.state["track"],
        position_ms=player.state["position_ms"],
        position_at=player.state["position_at"],
        volume=player.state["volume"],
        actions={action: Button(allowed=action not in player.state["disallows"]) for action in Action},
        pending=player.pending,
        last_error=player.last_error,
        connection=player.connection,
        polling_interval_ms=1000,
    )


@app.post("/4.0/music/v1/player/command", response_model=Accepted)
async def command(asked: Asked, yandex_uid: type_of_uid, opened: type_of_session) -> Any:
    async with opened.begin():
        player = await opened.scalar(of_passenger(asked.order_id, yandex_uid).with_for_update())
        if player is None:
            raise HTTPException(406, "player_unavailable")
        player.version += 1
        player.last_seq += 1
        player.touched_at = datetime.datetime.now(datetime.UTC)
        seq, version = player.last_seq, player.version
        made = Command(
            player_id=player.player_id,
            order_id=player.order_id,
            seq=seq,
            command_id=str(asked.command_id),
            action=asked.action.value,
            args=asked.args,
            version=version,
            status="queued",
            expires_at=player.touched_at + datetime.timedelta(seconds=15),
        )
        kwargs = {"player_id": player.player_id, "seq": seq, "attempt": 1}
        task = Task(queue="music.command.push", task_id=f"{player.player_id}-{seq}-1", kwargs=kwargs)
        opened.add_all((made, task))
    return Accepted(command_id=asked.command_id, seq=seq, status="queued", version=version)


def main() -> None:
    global sessions
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dsn", required=True)
    asked = parser.parse_args()
    address = asked.dsn.replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(address, pool_size=8, max_overflow=8, pool_use_lifo=True)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=asked.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        backlog=1024,
    )


main()
