"""Which flow is killed at which boundary; and whether flows and code agree about the boundaries that there are."""

import fnmatch
from collections.abc import Iterable, Mapping

from chaos import failpoints
from chaos.trial import Trial

START = "start"
# Reached by the clock of every worker, whatever flows do, and for sure at its start.
OF_THE_CLOCK = ("kit.stq.upkeep_sql.", "kit.stq.ledger.take_back", "kit.stq.outbox.take")
# Where chance may lead other flows to a boundary, this one comes there for sure.
OWN_FLOWS = dict.fromkeys(OF_THE_CLOCK, START) | {"kit.stq.ledger.extend": "slow neighbour"}
# Of this one the lease is waited for; of the others it is cut short and counted as if it had been.
IN_FULL_TIME = "stq.claim:after_claim"
# Boundaries that are reached, but that nothing can be learnt at.
NOT_KILLED_AT = {
    "kit.stq.ledger.claim:*": "an empty claim comes here as well; stq.claim is where there is something to lose",
}

type_of_record = dict[str, dict[str, list[str]]]


class NotReached(AssertionError):
    """The flow went by without coming to the boundary."""


def plan(recorded: type_of_record, wanted: Mapping[str, Iterable[str]]) -> dict[str, list[tuple[str, str]]]:
    """Which flow to kill at which (service, boundary): the first that reaches it, by its name as recorded.

    NotReached names the boundaries that no flow reaches.
    """
    planned: dict[str, list[tuple[str, str]]] = {}
    missed = []
    for service, name in ((service, name) for service, names in wanted.items() for name in names):
        found = _flow_of(recorded, service, name)
        if found is None:
            missed.append(f"{name} of {service}")
        else:
            planned.setdefault(found[0], []).append((service, found[1]))
    if missed:
        raise NotReached(f"no flow comes to {', '.join(missed)}")
    for points in planned.values():
        points.sort(key=lambda point: point[1] == IN_FULL_TIME)  # no later kill prolongs what is timed
    return planned


def _flow_of(recorded: type_of_record, service: str, name: str) -> tuple[str, str] | None:
    own = next((flow for prefix, flow in OWN_FLOWS.items() if name.startswith(prefix)), None)
    for flow in recorded if own is None else (own,):
        for hit in recorded[flow][service]:
            if fnmatch.fnmatchcase(hit, name):
                return flow, hit
    return None


def expected(trial: Trial, service: str) -> set[str]:
    """The boundaries of a service, those of the queue among them, that flows should come to."""
    points = {point.name for point in (*failpoints.of_service(service), *failpoints.of_queue())}
    return {name for name in points if not matches(name, trial.unreached)}


def targets(trial: Trial) -> dict[str, list[str]]:
    """The boundaries at which each service of a trial is killed."""
    wanted = {}
    for service in trial.services:
        own = {point.name for point in failpoints.of_service(service)}
        whole = trial.tries_the_queue and service == trial.service
        names = expected(trial, service) if whole else expected(trial, service) & own
        wanted[service] = sorted(name for name in names if not matches(name, NOT_KILLED_AT))
    return wanted


def differences(trial: Trial, recorded: type_of_record) -> list[str]:
    """Boundaries that no flow reached, and some that were reached and were not read from the code."""
    return [wrong for service in trial.services for wrong in _differences(trial, service, recorded)]


def _differences(trial: Trial, service: str, recorded: type_of_record) -> list[str]:
    wanted = expected(trial, service)
    patterns = [name for name in wanted if "*" in name]
    hits = {name for flow in recorded.values() for name in flow[service]}
    reached = {next((each for each in patterns if fnmatch.fnmatchcase(name, each)), name) for name in hits}
    if not (trial.tries_the_queue and service == trial.service):  # the queue is the same code everywhere
        wanted -= {point.name for point in failpoints.of_queue()} - reached
    return [
        f"{name} of {service} is {'not reached' if name in wanted else 'not known'}"
        for name in sorted(reached ^ wanted)
    ]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns fits."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
