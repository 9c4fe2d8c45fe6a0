"""The page of music and what is made from it."""

from pathlib import Path

from kit import errors, web
from music import app

SERVICE_FOLDER = Path(__file__).parent.parent


def test_describes_itself_as_its_file_says() -> None:
    assert web.monitor.as_yaml(app.SERVICE.openapi()) == (SERVICE_FOLDER / "openapi.yaml").read_text("utf-8")


def test_has_only_ascii_paths() -> None:
    paths = [path for handler in app.ROUTES for path in web.routes.declared(handler).paths]
    assert paths
    assert all(path.isascii() for path in paths)


def test_lists_every_route_and_task_of_its_features() -> None:
    source = "".join(path.read_text("utf-8") for path in (SERVICE_FOLDER / "music").glob("*/*.py"))
    assert source.count("\n@web.") == len(app.ROUTES)
    assert source.count("\n@stq.task(") == len(app.TASKS)
    assert {every.name for every in app.SCHEDULE} <= {task.name for task in app.TASKS}


def test_speaks_russian_whatever_it_refuses() -> None:
    say = app.SERVICE.say()
    refusals: set[type[errors.Refusal]] = set(web.api.ALWAYS)
    for handler in app.ROUTES:
        refusals |= set(web.routes.declared(handler).refusals)
    assert len(refusals) > 10
    assert [each for each in refusals if say("ru", each.message) == each.message] == []
