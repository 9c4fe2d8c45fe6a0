"""What operators type, and what they get."""

import argparse
import json
from typing import Any

import pytest

from kit.stq import commands


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers(dest="word"))
    return parser.parse_args(["tasks", *words])


@pytest.fixture
def type_(bench: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    async def carry_out(*words: str) -> tuple[int, str, str]:
        status = await commands.carry_out(parse(*words), bench.db.dsn)
        said = capsys.readouterr()
        return status, said.out, said.err

    return carry_out


async def bury(bench: Any, *task_ids: str) -> list[int]:
    ids = []
    for task_id in task_ids:
        await bench.enqueue(task_id, word="hello")
        await bench.db.run(
            "UPDATE stq.tasks SET state = 'dead', attempt = 10, finished_at = now(), last_error = 'too_foggy'"
            " WHERE task_id = %(task_id)s",
            task_id=task_id,
        )
        ids.append((await bench.row(task_id))["id"])
    return ids


async def test_lists_the_dead(bench: Any, type_: Any) -> None:
    await bury(bench, "gone")
    await bench.enqueue("alive")
    status, out, _ = await type_("list")
    assert status == 0
    header, line = out.splitlines()
    assert header.split() == ["id", "queue", "task_id", "state", "attempt", "due_at", "last_error"]
    assert "gone" in line
    assert "too_foggy" in line


async def test_lists_by_state_and_queue_as_json(bench: Any, type_: Any) -> None:
    await bury(bench, "gone")
    await bench.enqueue("alive")
    await bench.enqueue("other", name=f"{bench.service}.other.one")
    _, out, _ = await type_("list", "--state", "waiting", "--queue", bench.name, "--json")
    assert [json.loads(line)["task_id"] for line in out.splitlines()] == ["alive"]
    _, out, _ = await type_("list", "--state", "all", "--json")
    assert len(out.splitlines()) == 3


async def test_says_that_there_are_more(bench: Any, type_: Any) -> None:
    await bury(bench, "1", "2", "3")
    _, out, _ = await type_("list", "--limit", "2")
    assert out.splitlines()[-1] == "The first 2 only; --limit shows more."


async def test_shows_one(bench: Any, type_: Any) -> None:
    (id,) = await bury(bench, "gone")
    status, out, _ = await type_("show", str(id))
    assert status == 0
    assert '"word": "hello"' in out
    assert "too_foggy" in out


async def test_says_that_there_is_none(type_: Any) -> None:
    assert await type_("show", "12345") == (1, "", "There is no task 12345.\n")


async def test_retries_by_id(bench: Any, type_: Any) -> None:
    (id,) = await bury(bench, "gone")
    assert await type_("retry", str(id)) == (0, "1 task(s) wait again.\n", "")
    row = await bench.row("gone")
    assert (row["state"], row["attempt"], row["finished_at"]) == ("waiting", 0, None)


async def test_retries_all_of_a_queue(bench: Any, type_: Any) -> None:
    await bury(bench, "1", "2")
    status, out, _ = await type_("retry", "--all", "--queue", bench.name)
    assert (status, out) == (0, f"2 dead task(s) of {bench.name} wait again.\n")


async def test_leaves_alone_what_is_not_dead(bench: Any, type_: Any) -> None:
    await bench.enqueue("alive")
    id = (await bench.row("alive"))["id"]
    status, out, err = await type_("retry", str(id))
    assert (status, out) == (1, "0 task(s) wait again.\n")
    assert err == f"Left alone, since they do not exist or are not dead: {id}.\n"


@pytest.mark.parametrize("words", [["retry"], ["retry", "--all"], ["retry", "1", "--all", "--queue", "a.b"]])
async def test_asks_which(type_: Any, words: list[str]) -> None:
    status, _, err = await type_(*words)
    assert status == 1
    assert err.startswith("Say which: ")


async def test_drops_only_what_is_meant(bench: Any, type_: Any) -> None:
    (id,) = await bury(bench, "gone")
    status, _, err = await type_("drop", str(id))
    assert (status, err) == (1, "Nothing was dropped: what is dropped is gone, so say --yes.\n")
    assert await bench.states() == {"dead": 1}
    assert await type_("drop", str(id), "--yes") == (0, "1 task(s) dropped.\n", "")
    assert await bench.states() == {}


@pytest.mark.parametrize("words", [[], ["list", "--state", "odd"], ["show", "x"], ["show", "-1"], ["drop"]])
def test_refuses_wrong_command_line(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(*words)
    assert ended.value.code == 2


async def test_says_that_the_database_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    dsn = "postgresql://nobody@127.0.0.1:1/nothing"
    assert await commands.carry_out(parse("list"), dsn) == 3
    assert capsys.readouterr().err == "The database does not answer; nothing was done.\n"
