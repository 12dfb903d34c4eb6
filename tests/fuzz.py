"""Random multilayer perceptrons: derived and emitted gradients against the hand-written network.

`python -m tests.fuzz 10000` judges that many networks; `--seed` picks where to begin, so that
`python -m tests.fuzz 1 --seed 417` repeats one. A failure prints the network file and what was
wrong; the exit code is then 1. An exception is a failure: no network is passed over in silence.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from symbackprop import api
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.architecture import LABELS, REDUCTIONS
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.proving.code import prove_source
from symbackprop.proving.crosscheck import close, model_of
from symbackprop.verdict import Equal
from symbackprop.witnesses import reference
from symbackprop.writing.code.numpy_backend import FUNCTION

Array = npt.NDArray[Any]

COMPLEX_STEP = 1e-10
DIFFERENCES = 1e-6
KINK = 1e-3
KINKED = ("relu", "leaky_relu")


@dataclass(frozen=True)
class Failure:
    """What was wrong with the network of one seed, and its file."""

    seed: int
    reason: str
    text: str

    def __str__(self) -> str:
        return f"# seed {self.seed}: {self.reason}\n{self.text}"


def spec_text(seed: int) -> str:
    """A network file: depth 1 to 6, unequal widths 1 to 7, everything else by chance too."""
    source = random.Random(seed)
    depth = source.randint(1, 6)
    widths = source.sample(range(1, 8), depth + 1)
    loss = source.choice(list(LOSSES))
    lines = [
        f'name = "random-{seed}"',
        f"input = {widths[0]}",
        f'loss = "{loss}"',
        f'reduction = "{source.choice(REDUCTIONS)}"',
        f"samples = {source.randint(1, 5)}",
    ]
    if loss == "squared_error":
        lines.append(f"half = {source.choice(('true', 'false'))}")
    if loss == "cross_entropy":
        lines.append(f'labels = "{source.choice(LABELS)}"')
    needed = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss)
    for layer, units in enumerate(widths[1:], 1):
        activation = source.choice(list(ACTIVATIONS))
        if layer == depth and needed is not None:
            activation = needed
        lines += ["", "[[layers]]", 'type = "dense"', f"units = {units}"]
        lines += [f'activation = "{activation}"', f"bias = {source.choice(('true', 'false'))}"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Trial:
    """One network with arrays that keep away from the kinks of relu and leaky relu."""

    net: api.Net
    model: reference.Model
    params: dict[str, Array]
    x: Array
    y: Array | None

    @classmethod
    def of(cls, seed: int) -> Trial:
        net = api.loads(spec_text(seed))
        assert net.architecture is not None
        model = model_of(net.architecture)
        for attempt in range(1000):
            params = net.parameters(1000 * seed + attempt)
            x, y = net.sample(1000 * seed + attempt)
            trial = cls(net, model, params, x, y)
            if trial.distance_to_kinks() > KINK:
                return trial
        raise AssertionError("no arrays away from kinks")

    def derivation(self) -> api.Derivation:
        return api.derive(self.net)

    def distance_to_kinks(self) -> float:
        tape = reference.forward(self.model, self.params, self.x)
        return min(
            (
                float(np.abs(tape[f"z{layer}"]).min())
                for layer, activation in enumerate(self.model.activations, 1)
                if activation in KINKED
            ),
            default=1.0,
        )

    def loss_at(self, name: str, value: Array) -> Any:
        if name in self.params:
            return reference.loss(self.model, {**self.params, name: value}, self.x, self.y)
        return reference.loss_from(self.model, self.params, self.y, name, value)

    def value(self, name: str) -> Array:
        if name in self.params:
            return self.params[name]
        tape = reference.forward(self.model, self.params, self.x)
        return {"x": self.x, **tape}[name]


def problems(seed: int, prove: bool = False) -> Iterator[str]:
    """Everything that is wrong with the network of this seed."""
    trial = Trial.of(seed)
    derivation = trial.derivation()
    names = (*derivation.gradients, *derivation.adjoints)
    loss, gradients = derivation.function()(trial.params, trial.x, trial.y, wrt=names)
    if not close(loss, np.asarray(trial.loss_at("x", trial.x)), COMPLEX_STEP):
        yield "the loss differs from the reference"
    for name in names:
        at, value = partial(trial.loss_at, name), trial.value(name)
        if not close(gradients[name], reference.complex_step(at, value), COMPLEX_STEP):
            yield f"d loss / d {name} differs from the complex step by more than {COMPLEX_STEP}"
        if name in derivation.gradients:
            differences = reference.central_difference(at, value)
            if not close(gradients[name], differences, DIFFERENCES):
                yield f"d loss / d {name} differs from differences by more than {DIFFERENCES}"
    if prove:
        yield from unproved(derivation)


def unproved(derivation: api.Derivation) -> Iterator[str]:
    """Returned values of the emitted module that the tracer could not prove for all sizes."""
    names = ("loss", *(t.name for t in derivation.network.of_kind("parameter")))
    verdicts = prove_source(derivation.source(), FUNCTION, derivation.network, derivation.sweep)
    for name in names:
        verdict = verdicts[name]
        if not isinstance(verdict, Equal) or verdict.method != "proved":
            yield f"{name} of the emitted module is not proved: {verdict}"


def judge(seed: int, prove: bool = False) -> list[Failure]:
    """Failures of one network; an exception is one."""
    try:
        reasons = list(problems(seed, prove))
    except Exception:  # reported with the network that caused it, which is what a fuzzer is for
        reasons = [traceback.format_exc().replace("\n", "\n# ")]
    return [Failure(seed, reason, spec_text(seed)) for reason in reasons]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prove-every", type=int, default=0, metavar="K")
    parser.add_argument("--jobs", type=int, default=None)
    asked = parser.parse_args()
    started, wrong = time.monotonic(), 0
    seeds = range(asked.seed, asked.seed + asked.count)
    proofs = [bool(asked.prove_every and seed % asked.prove_every == 0) for seed in seeds]
    with ProcessPoolExecutor(asked.jobs) as pool:
        for done, failures in enumerate(pool.map(judge, seeds, proofs, chunksize=8), 1):
            for failure in failures:
                print(failure, flush=True)
            wrong += bool(failures)
            if done % 1000 == 0:
                print(f"{done} networks, {wrong} wrong", file=sys.stderr)
    seconds = time.monotonic() - started
    print(f"{asked.count} networks, {wrong} wrong, {seconds:.0f} s", file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
