from collections.abc import Iterator

import pytest
import zmq

from tests.support.capturing import Subscriber
from tests.support.numbered import Pictures


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return Pictures.drawn(tmp_path_factory.mktemp("pictures"), count=150, fps=30)


@pytest.fixture
def subscriber(context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[Subscriber]:
    with Subscriber(context) as made:
        yield made
