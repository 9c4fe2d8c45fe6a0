"""The servers, databases and clocks of the tests; a pytest plugin in `testkit.plugin`."""

from testkit.waiting import until

__all__ = ["until"]
