"""A pytest fixture that holds networks against limits and locks: `archinspect_budget`.

    def test_the_network_stays_small(archinspect_budget):
        archinspect_budget(Net(), (1, 3, 224, 224), max_params="25M", max_macs="4.2G", lock="net.lock.json")

pytest finds it in any environment that has archinspect.  `pytest --archinspect-update` writes the locks anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .budget import Budget


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--archinspect-update`."""
    group = parser.getgroup("archinspect")
    group.addoption(
        "--archinspect-update", action="store_true", help="write the locks of archinspect_budget anew"
    )


@pytest.fixture
def archinspect_budget(request: pytest.FixtureRequest) -> Callable[..., Budget]:
    """A function that fails the test, naming the layers to blame, when a network does not keep its budget.

    It takes what `archinspect.load` takes, the limits of `Network.budget` (`max_params`, `max_macs`, `max_flops`,
    `max_memory`) and `lock`, a path beside the test's file.
    """
    folder = request.path.parent
    update = request.config.getoption("--archinspect-update")

    def hold(
        model: Any,
        *example_inputs: Any,
        max_params: str | float | None = None,
        max_macs: str | float | None = None,
        max_flops: str | float | None = None,
        max_memory: str | float | None = None,
        lock: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Budget:
        __tracebackhide__ = True
        from .network import Network, load

        network = model if isinstance(model, Network) else load(model, *example_inputs, **options)
        place = None if lock is None else folder / Path(lock)
        found = network.budget(
            max_params=max_params,
            max_macs=max_macs,
            max_flops=max_flops,
            max_memory=max_memory,
            lock=place,
            update=update and place is not None,
        )
        if not found.ok:
            hint = (
                ""
                if lock is None
                else "\n\npytest --archinspect-update writes the lock as the network is now."
            )
            pytest.fail(f"{found}{hint}", pytrace=False)
        return found

    return hold
