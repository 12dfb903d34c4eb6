"""Speed, as ratios measured in one interleaved run: `make bench`.

CPU time of this process, median of the rounds; competitors take turns inside each round, so that
a change of the machine's speed hits all of them. Tests never time; this does.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import sympy

from symbackprop import api
from symbackprop.derivation.sweep import sweep
from symbackprop.networks import file as spec
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.writing.code.numpy_backend import compile_source, emit

ROUNDS = 5


def main() -> None:
    derive_and_emit()
    independence()
    depth()
    against_sympy()
    emitted_code()
    function_call()
    cold_start()


def timed(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def interleaved(
    actions: Mapping[str, Callable[[], object]], rounds: int = ROUNDS
) -> dict[str, float]:
    """Median CPU seconds of each action; one warm-up, then all in turn in every round."""
    for action in actions.values():
        action()
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds):
        order = list(actions) if number % 2 == 0 else list(actions)[::-1]
        for name in order:
            times[name].append(timed(actions[name]))
    return {name: statistics.median(found) for name, found in times.items()}


def made(architecture: Architecture) -> Callable[[], object]:
    return lambda: emit(sweep(build(architecture).network))


def derive_and_emit() -> None:
    print("derive and emit, warm, median of 5, CPU")
    actions = {name: made(spec.load(name).architecture) for name in spec.example_names()}
    for name, seconds in interleaved(actions).items():
        goal = "  (goal: at most 100 ms)" if name == "four-layer" else ""
        print(f"  {name:16} {1e3 * seconds:7.1f} ms{goal}")


def perceptron(depth: int, width: int, samples: int | None = None) -> Architecture:
    hidden = tuple(Layer(width, "tanh") for _ in range(depth - 1))
    layers = (*hidden, Layer(width + 1, "softmax"))
    return Architecture("bench", width + 2, layers, "cross_entropy", samples=samples)


def independence() -> None:
    print("width and batch: ratio to 3 layers of width 4, batch 8")
    actions = {
        "width 4, batch 8": made(perceptron(3, 4, 8)),
        "width 4000, batch 8": made(perceptron(3, 4000, 8)),
        "width 4, batch 8000": made(perceptron(3, 4, 8000)),
    }
    times = interleaved(actions)
    base = times["width 4, batch 8"]
    for name, seconds in times.items():
        print(f"  {name:20} {seconds / base:5.2f}")


def depth() -> None:
    print("depth: ratio to depth 16 (goal: 128 at most 10)")
    times = interleaved({str(n): made(perceptron(n, 4)) for n in (16, 32, 64, 128)})
    for name, seconds in times.items():
        print(f"  depth {name:4} {1e3 * seconds:8.1f} ms  ratio {seconds / times['16']:5.2f}")


def against_sympy() -> None:
    print("SymPy entry by entry (composed loss, every parameter differentiated) over symbackprop")
    for widths, samples in (((2, 3, 1), 1), ((2, 2, 4, 3), 1)):
        layers = tuple(Layer(width, "sigmoid") for width in widths[1:])
        architecture = Architecture("entries", widths[0], layers, "squared_error")
        ours = interleaved({"ours": made(architecture)}, 3)["ours"]
        theirs = timed(lambda w=widths, n=samples: _entry_by_entry(w, n))  # type: ignore[misc]
        name = "-".join(map(str, widths))
        print(
            f"  {name:8} batch {samples}: {theirs:6.2f} s over {1e3 * ours:5.1f} ms"
            f" = {theirs / ours:6.0f} times"
        )


def _entry_by_entry(widths: tuple[int, ...], samples: int) -> list[sympy.Expr]:
    """The network as one scalar expression of symbols, and its derivative by each parameter."""
    parameters: list[sympy.Symbol] = []
    x = sympy.Matrix(samples, widths[0], lambda n, i: sympy.Symbol(f"x{n}_{i}"))
    for layer, (wide, units) in enumerate(itertools.pairwise(widths)):
        weight = sympy.Matrix(wide, units, lambda i, j, l=layer: sympy.Symbol(f"W{l}_{i}_{j}"))
        bias = sympy.Matrix(1, units, lambda _, j, l=layer: sympy.Symbol(f"b{l}_{j}"))
        parameters += [*weight, *bias]
        total = x * weight + sympy.ones(samples, 1) * bias
        x = total.applyfunc(lambda z: 1 / (1 + sympy.exp(-z)))
    y = sympy.Matrix(samples, widths[-1], lambda n, k: sympy.Symbol(f"y{n}_{k}"))
    loss = sum((entry**2 for entry in x - y), sympy.S.Zero)
    return [loss.diff(parameter) for parameter in parameters]


def emitted_code() -> None:
    print("emitted code over hand-written NumPy: tanh network 256-128-64-10, batch 64")
    sizes = (256, 128, 64, 10)
    layers = (Layer(128, "tanh"), Layer(64, "tanh"), Layer(10, "softmax"))
    architecture = Architecture("code", 256, layers, "cross_entropy")
    function = compile_source(emit(sweep(build(architecture).network)))
    source = np.random.default_rng(0)
    params = {}
    for layer, (wide, units) in enumerate(itertools.pairwise(sizes), start=1):
        params[f"W{layer}"] = source.normal(size=(wide, units)) / np.sqrt(wide)
        params[f"b{layer}"] = source.normal(size=units)
    x = source.normal(size=(64, 256))
    y = np.eye(10)[source.integers(10, size=64)]
    many = range(20)
    times = interleaved(
        {
            "emitted": lambda: [function(params, x, y) for _ in many],
            "by hand": lambda: [by_hand(params, x, y) for _ in many],
        },
        11,
    )
    print(f"  ratio {times['emitted'] / times['by hand']:.2f}")


def by_hand(
    p: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    activation: Callable[[np.ndarray], np.ndarray] = np.tanh,
    slope: Callable[[np.ndarray], np.ndarray] = lambda h: 1 - h**2,
) -> tuple[float, dict[str, np.ndarray]]:
    """The same network as an experienced person writes it; `slope` is of the output."""
    h1 = activation(x @ p["W1"] + p["b1"])
    h2 = activation(h1 @ p["W2"] + p["b2"])
    z = h2 @ p["W3"] + p["b3"]
    z -= z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    loss = -(y * log_p).sum() / len(x)
    d3 = (np.exp(log_p) - y) / len(x)
    d2 = (d3 @ p["W3"].T) * slope(h2)
    d1 = (d2 @ p["W2"].T) * slope(h1)
    return loss, {
        "W1": x.T @ d1,
        "b1": d1.sum(axis=0),
        "W2": h1.T @ d2,
        "b2": d2.sum(axis=0),
        "W3": h2.T @ d3,
        "b3": d3.sum(axis=0),
    }


def function_call() -> None:
    print("d.function() over the bare code it calls: 2-2-4-3, batch 3")
    net = api.loads(spec.example_text("four-layer").replace('"sum"', '"mean"'))
    f = api.derive(net).function()
    params, (x, y) = net.parameters(), net.sample()
    assert y is not None
    f(params, x, y)
    code, ((_, look),) = f._known[0].code, f._known[0].looks.rest
    hand = partial(by_hand, activation=lambda z: 1 / (1 + np.exp(-z)), slope=lambda h: h * (1 - h))
    calls = 200
    times = interleaved(
        {
            "function": lambda: [f(params, x, y) for _ in range(calls)],
            "bare": lambda: [code(params, x, y) for _ in range(calls)],
            "labels": lambda: [look(y) for _ in range(calls)],
            "by hand": lambda: [hand(params, x, y) for _ in range(calls)],
        },
        101,
    )
    micro = {name: 1e6 * seconds / calls for name, seconds in times.items()}
    more = micro["function"] - micro["bare"] - micro["labels"]
    print(f"  shapes and types   {more:5.1f} us a call  (goal: at most 5)")
    print(f"  labels             {micro['labels']:5.1f} us")
    print(f"  bare / by hand     {micro['bare'] / micro['by hand']:5.2f}")
    print(f"  function / by hand {micro['function'] / micro['by hand']:5.2f}")


def cold_start() -> None:
    print("whole commands, CPU seconds of the process")
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "derive four-layer (goal: at most 3)": ["derive", "four-layer", "-o", folder + "/"],
            "--help": ["--help"],
        }
        for name, arguments in commands.items():
            print(f"  {name:36} {min(_cpu(arguments) for _ in range(3)):5.2f}")


def _cpu(arguments: list[str]) -> float:
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "symbackprop", *arguments], check=True, capture_output=True
    )
    after = os.times()
    return (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )


if __name__ == "__main__":
    main()
