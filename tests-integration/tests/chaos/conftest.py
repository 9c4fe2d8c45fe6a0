"""What tests of kills share."""

import pytest

from chaos import plans


@pytest.fixture(scope="module")
def recorded() -> plans.type_of_record:
    """What each flow reached, once it has been recorded."""
    return {}
