"""Random networks in the ordinary run: none wrong, none silent. `make fuzz` does more of them."""

from __future__ import annotations

import pytest

from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.architecture import LABELS, REDUCTIONS
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.witnesses import reference
from symbackprop.writing.code import numpy_backend, running
from tests import fuzz

pytestmark = pytest.mark.slow

NETWORKS = 200
PROVED = 20
SHARE = 20


@pytest.mark.parametrize("start", range(0, NETWORKS, SHARE))
def test_gradients_of_random_networks_agree_with_the_reference(start: int) -> None:
    failures = [found for seed in range(start, start + SHARE) for found in fuzz.judge(seed)]
    assert not failures, "\n".join(map(str, failures))


@pytest.mark.parametrize("seed", range(NETWORKS, NETWORKS + PROVED))
def test_code_of_random_networks_is_proved_equal_to_its_derivation(seed: int) -> None:
    failures = fuzz.judge(seed, prove=True)
    assert not failures, "\n".join(map(str, failures))


def test_random_networks_cover_every_word_of_a_network_file() -> None:
    texts = "\n".join(fuzz.spec_text(seed) for seed in range(NETWORKS))
    words = (*ACTIVATIONS, *LOSSES, *REDUCTIONS, *LABELS)
    assert [word for word in words if f'"{word}"' not in texts] == []


def test_a_wrong_gradient_is_reported_with_its_network_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seed = next(s for s in range(99) if "db1 = " in fuzz.Trial.of(s).derivation().source())
    emitted = numpy_backend.emit
    monkeypatch.setattr(
        running,
        "emit",
        lambda *given, **more: emitted(*given, **more).replace("db1 = ", "db1 = 1.001 * "),
    )
    failures = fuzz.judge(seed)
    assert any("d loss / d b1" in failure.reason for failure in failures)
    assert f'name = "random-{seed}"' in str(failures[0])


def test_a_crash_is_reported_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "complex_step", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in fuzz.judge(0)[0].reason
