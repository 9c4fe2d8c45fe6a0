"""The music that there is: albums, artists, playlists and stations made of invented tracks, and what is one's own."""

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TYPES = ("track", "album", "playlist", "artist", "station")
DEFAULT = ("station", "my-wave")
"""What plays when nothing was chosen."""
_FILE = "data/music.json"


@dataclass(frozen=True, slots=True)
class Item:
    """What can be played: `context` is `{type, id, title}`, each track as the taximeter reports it."""

    context: Mapping[str, str]
    tracks: tuple[Mapping[str, Any], ...]

    @property
    def is_endless(self) -> bool:
        """A station begins again where it ends."""
        return self.context["type"] == "station"

    def to_wire(self) -> dict[str, Any]:
        """As the SDK reads it."""
        return {"context": dict(self.context), "tracks": [dict(track) for track in self.tracks]}


class Catalogue:
    """Everybody's items, and the private playlist of each person."""

    def __init__(self, tracks: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]], private: Any) -> None:
        by_id = {track["id"]: track for track in tracks}
        singles = [{"type": "track", "id": name, "title": by_id[name]["title"], "tracks": [name]} for name in by_id]
        self._items = {
            (item["type"], item["id"]): _item(item, [by_id[name] for name in item["tracks"]])
            for item in (*items, *singles)
        }
        self._private: Sequence[Mapping[str, Any]] = private

    def find(self, kind: str, item_id: str, yandex_uid: str) -> Item | None:
        """The item as this person sees it; None when there is none, or it is another's."""
        own = self.own(yandex_uid)
        for item in (own, *(_single(track) for track in own.tracks)):
            if (kind, item_id) == (item.context["type"], item.context["id"]):
                return item
        return self._items.get((kind, item_id))

    def own(self, yandex_uid: str) -> Item:
        """The private playlist of a person; its tracks have the owner in their ids."""
        tracks = [{**track, "id": f"{track['id']}-{yandex_uid}"} for track in self._private]
        return _item({"type": "playlist", "id": f"private-{yandex_uid}", "title": "Just mine"}, tracks)

    def public(self) -> list[Item]:
        """What is everybody's."""
        return list(self._items.values())


def load() -> Catalogue:
    """The catalogue in the package."""
    return Catalogue(**json.loads(importlib.resources.files("sandbox").joinpath(_FILE).read_bytes()))


def _single(track: Mapping[str, Any]) -> Item:
    return _item({"type": "track", "id": track["id"], "title": track["title"]}, [track])


def _item(about: Mapping[str, Any], tracks: Sequence[Mapping[str, Any]]) -> Item:
    return Item({name: about[name] for name in ("type", "id", "title")}, tuple(tracks))
