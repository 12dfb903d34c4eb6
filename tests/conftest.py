"""What holds for every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

from symbackprop import errors

# The same tests give the same answers; `pytest --hypothesis-profile=default` looks for new faults.
settings.register_profile("same", derandomize=True, database=None)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def bugs_are_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that the judge would outlive fails its test; tests of that put `BUGS` back."""
    monkeypatch.setattr(errors, "BUGS", ())
