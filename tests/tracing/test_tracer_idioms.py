"""Idioms of hand-written backward passes: what is read has the value that NumPy computes.

Each snippet is traced symbolically, evaluated at numbers, and really executed on the same numbers;
results and arguments (which may be changed in place) have to agree.
"""

from __future__ import annotations

import copy
import textwrap
import warnings
from typing import Any

import numpy as np
import pytest

from symbackprop.derivation.normalform import Algebra, Atom, atom
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.proving.formvalue import value_of
from symbackprop.tracing.arrays import ShapeClash, SymbolicArray, TraceError, place
from symbackprop.tracing.trace import trace
from symbackprop.tracing.values import Object, Traced

NETWORK = build(
    Architecture("t", 2, (Layer(3, "relu"), Layer(4, "softmax")), "cross_entropy", "mean", False,
                 "integer"),
    False,
).network  # fmt: skip
SIZES = {"N": 5, "d0": 2, "d1": 3, "d2": 4}
SHAPES = {
    "x": ("N", "d0"),
    "W": ("d0", "d1"),
    "V": ("d1", "d2"),
    "b": ("d1",),
    "c": ("d2",),
    "h": ("N", "d1"),
    "g": ("N", "d1"),
    "p": ("N", "d2"),
    "s": ("N",),
    "y": ("N",),
    "S": ("d1", "d1"),
    "xc": ("d0", "N"),
    "hc": ("d1", "N"),
    "pc": ("d2", "N"),
    "T": ("d0", "d1", "d2"),
}


def values() -> dict[str, Any]:
    source = np.random.default_rng(11)
    found: dict[str, Any] = {
        name: source.normal(size=tuple(SIZES[letter] for letter in shape))
        for name, shape in SHAPES.items()
    }
    found["y"] = np.array([3, 1, 1, 0, 2])
    return found


def symbol(name: str) -> SymbolicArray:
    shape = tuple(atom(Atom("dim", letter)) for letter in SHAPES[name])
    entry = Atom("el", name, tuple(atom(place(i, extent)) for i, extent in enumerate(shape)))
    return SymbolicArray(shape, atom(entry), "int" if name == "y" else "float")


def numbers(traced: Any) -> Any:
    """The values of what was traced."""
    if isinstance(traced, SymbolicArray):
        axes = [place(i, extent) for i, extent in enumerate(traced.shape)]
        sizes = tuple(int(value_of(extent, [], {}, SIZES)) for extent in traced.shape)
        if any(extent.constant == 1 for extent in traced.shape):
            wide = [a for a in axes if a.data[2].constant != 1]
            return value_of(traced.form, wide, values(), SIZES).reshape(sizes)
        return value_of(traced.form, axes, values(), SIZES)
    if isinstance(traced, (list, tuple)):
        return type(traced)(numbers(part) for part in traced)
    if isinstance(traced, dict):
        return {key: numbers(part) for key, part in traced.items()}
    if isinstance(traced, Object):
        return numbers(dict(traced.fields))
    return traced


def agree(found: Any, expected: Any) -> None:
    if isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            agree(one, other)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            agree(found[key], expected[key])
    elif expected is None or isinstance(expected, str):
        assert found == expected
    else:
        assert np.shape(found) == np.shape(expected)
        np.testing.assert_allclose(
            np.asarray(found, dtype=float), np.asarray(expected, dtype=float), rtol=1e-9, atol=1e-12
        )


def source_of(body: str, names: list[str], before: str = "") -> str:
    head = "import numpy as np\nfrom scipy.special import expit, softmax, logsumexp\nimport math\n"
    nl = "\n" if before else ""
    inside = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return f"{head}{textwrap.dedent(before).strip()}{nl}def f({', '.join(names)}):\n{inside}\n"


def names_in(body: str) -> list[str]:
    import ast

    used = {n.id for n in ast.walk(ast.parse(textwrap.dedent(body))) if isinstance(n, ast.Name)}
    return [name for name in SHAPES if name in used]


def read(body: str, before: str = "") -> Traced:
    names = names_in(body)
    arguments = {name: symbol(name) for name in names}
    return trace(source_of(body, names, before), "f", arguments, Algebra(NETWORK))


SPECIAL = """
class _Special:
    pass
"""


def executed(body: str, before: str = "") -> tuple[Any, dict[str, Any]]:
    names = names_in(body)
    given = {name: copy.deepcopy(values()[name]) for name in names}
    space: dict[str, Any] = {}
    text = source_of(body, names, before).replace(
        "from scipy.special import expit, softmax, logsumexp\n", ""
    )
    space["expit"] = lambda z: 1 / (1 + np.exp(-z))
    space["softmax"] = lambda z, axis=None: np.exp(z) / np.exp(z).sum(axis=axis, keepdims=True)
    space["logsumexp"] = lambda z, axis=None, keepdims=False: np.log(
        np.exp(z).sum(axis=axis, keepdims=keepdims)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(text, space)
        return space["f"](**given), given


def check(body: str, before: str = "") -> Traced:
    traced = read(body, before)
    expected, given = executed(body, before)
    agree(numbers(traced.returned), expected)
    agree(numbers(dict(traced.arguments)), given)
    return traced


LAYERS = {
    "for over layers": """
        Ws, hs = [W, V], [x, h]
        grads = {}
        d = p
        for l in range(len(Ws), 0, -1):
            grads["dW" + str(l)] = hs[l - 1].T @ d
            d = d @ Ws[l - 1].T
        return grads, d
    """,
    "reversed range": """
        d, out = p, []
        Ws = [W, V]
        for l in reversed(range(len(Ws))):
            out.insert(0, d)
            d = d.dot(Ws[l].T)
        return out, out[-1], out[::-1], out[1:], out[:-1]
    """,
    "negative indices": """
        L = 2
        Ws = [W, V]
        acts = [x, h, p]
        dWs = [None] * L
        d = acts[-1]
        dWs[-1] = np.dot(acts[-2].T, d)
        for l in range(2, L + 1):
            d = np.dot(d, Ws[-l + 1].T)
            dWs[-l] = np.dot(acts[-l - 1].T, d)
        return dWs
    """,
    "fstrings and format": """
        q = {f"W{i + 1}": w for i, w in enumerate([W, V])}
        for i in range(1, 3):
            q["n%d" % i] = q["W{}".format(i)] * i
            q[f"m_{i:02d}"] = q.get("W" + str(i), None)
            q["s%s" % (i,)] = (q[f"W{i}"]).sum()
        return q
    """,
    "zip of lists": """
        out = []
        for w, a in zip([W, V], [x, h]):
            out.append(a @ w)
        for i, (w, a) in enumerate(zip([W, V], (x, h)), start=1):
            out += [i * (a @ w)]
        return out
    """,
    "while": """
        Ws = [W, V]
        l, d = 2, p
        while l > 0:
            d = d @ Ws[l - 1].T
            l -= 1
        else:
            d = d + 1
        return d, l
    """,
    "break and continue": """
        total = 0
        for i in range(10):
            if i % 2 == 0:
                continue
            if i > 6:
                break
            total += i * W
        else:
            total = None
        return total
    """,
    "items of a dict": """
        params = {"W": W, "V": V}
        out = {}
        for name, value in params.items():
            out["d" + name] = 2 * value
        out.update(b=b)
        out.update({"k": b})
        for value in params.values():
            value *= 3
        return out, params, sorted(params), list(params.keys())
    """,
    "pop of caches": """
        caches = [(x, W), (h, V)]
        first = caches.pop()
        second = caches.pop(0)
        return first[0], second[1], len(caches)
    """,
    "helpers with defaults and closures": """
        def linear(d, w, a, m=1):
            dw = a.T @ d / m
            return d @ w.T, dw
        scale = 2
        back = lambda d, k=scale: d * k
        scale = 3
        d, dV = linear(p, V, h, m=x.shape[0])
        return back(d), dV, [back(b, k) for k in (1, 2)]
    """,
    "recursion": """
        Ws = [W, V]
        def go(d, l):
            if l == 0:
                return d
            return go(d @ Ws[l - 1].T, l - 1)
        return go(p, 2)
    """,
    "star arguments": """
        def g(*parts, **named):
            return parts[0] + named["z"], len(parts)
        args = (h, b)
        return g(*args, z=1), g(*args, **{"z": b})
    """,
    "early return and strings": """
        def act(z, kind="relu", derivative=False):
            if kind == "sigmoid":
                s = 1 / (1 + np.exp(-z))
                return s * (1 - s) if derivative else s
            elif kind.lower() == "tanh":
                return 1 - np.tanh(z) ** 2 if derivative else np.tanh(z)
            elif kind in ("relu", "identity"):
                return (z > 0) * 1.0 if derivative else np.maximum(0, z)
            raise ValueError(kind)
        return act(h, "sigmoid", True), act(h, kind="Tanh"), act(h), act(h, derivative=True)
    """,
    "dict of functions": """
        table = {"relu": (lambda z: np.maximum(0, z), lambda z: 1.0 * (z > 0))}
        f0, df = table["relu"]
        return f0(h) * df(g)
    """,
    "parameters are updated before they are used again": """
        d = p @ V.T
        V -= 0.1 * (h.T @ p)
        e = p @ V.T
        W -= 0.5 * x.T @ e
        return d, e, x @ W
    """,
    "walrus and conditional expressions": """
        if (n := len(x)) is not None:
            k = 2 if W.ndim == 2 else 3
        return x / n * k, (W if True and not False else V)
    """,
    "lists of zeros": """
        Ws = [W, V]
        dWs = [np.zeros(w.shape) for w in Ws]
        for dw, w in zip(dWs, Ws):
            dw += w
        dWs = [dw + 2 * w for dw, w in zip(dWs, Ws)]
        return dWs
    """,
    "unpacking": """
        (a, q), *rest = [(1, W), V, b]
        r = s0 = b * 2
        r += 1
        return a, q, rest, s0
    """,
    "assert and print change nothing": """
        assert W.shape == (2, 3), "shape"
        print(f"cost {np.argmax(p)}", p.mean())
        accuracy = np.mean(np.argmax(p, axis=1) == y)
        x.reshape(-1)
        return W
    """,
    "comparison chain": "return W if 0 < 1 <= W.ndim < 3 else V",
    "functions made in a list see its last item": """
        fs = [lambda d: d * k for k in (1, 2)]
        gs = {i: (lambda d: d + i) for i in range(3)}
        return [q(W) for q in fs], gs[0](b), [i * j for i in range(3) for j in range(i) if j]
    """,
    "and or": "k = None\nk = k or 3\nreturn W * k, (0 and W) or V",
}

IN_PLACE = {
    "mask of a copy": "d = h.copy()\nd[g <= 0] = 0\nreturn d, h",
    "mask of an argument": "h[g == 0] = 0\nh[h < 0] = 0\nreturn h",
    "mask scales": "d = np.array(h, copy=True)\nd[g < 0] *= 0.01\nd[g > 1] += 2\nreturn d",
    "mask from entries": "d = h.copy()\nd[g < 0] = 0.1 * h[g < 0]\nreturn d",
    "rows by mask": "d = h.copy()\nd[s > 0] = 0\nreturn d",
    "labels": "q = p.copy()\nq[range(len(q)), y] -= 1\nq /= len(q)\nreturn q",
    "labels by arange": "q = p.copy()\nq[np.arange(x.shape[0]), y] -= 1\nreturn q / x.shape[0]",
    "labels in columns": "q = pc.copy()\nq[y, np.arange(q.shape[1])] -= 1\nreturn q",
    "labels of an argument": "p[range(p.shape[0]), y] -= 1\nreturn p",
    "one hot": "Y = np.zeros((len(y), V.shape[1]))\nY[np.arange(len(y)), y] = 1\nreturn p - Y",
    "one hot by eye": "return p - np.eye(p.shape[1])[y], np.eye(4)[y] if False else 0",
    "add at counts twice": (
        "q = np.zeros(V.shape[1])\nnp.add.at(q, y, s)\nr = np.zeros((V.shape[1], h.shape[1]))\n"
        "np.add.at(r, y, h)\nreturn q, r"
    ),
    "add at with pairs": (
        "q = np.zeros_like(p)\nnp.add.at(q, (np.arange(len(y)), y), s)\n"
        "np.subtract.at(q, (range(len(y)), y), 1)\nreturn q"
    ),
    "multiplied in place": "d = h * 1\nd *= g > 0\nd *= g\nd -= b\nd **= 2\nreturn d",
    "aliases share": "d = h + 0\ne = d\ne -= 1\nf0 = d.T\ne *= 2\nreturn d, e, f0",
    "rebinding does not share": "d = h + 0\ne = d\ne = e - 1\nreturn d, e",
    "a view changes its owner": "r = V[0]\nr += 1\nV[1] *= 2\nt = V.T\nt[0] = 5\nreturn V, t, r",
    "a view of a view": "t = V.T\nr = t[1]\nr *= 3\nr[0] = 7\nreturn V, t, r",
    "an owner changes its view": "t, r = V.T, V[1:]\nV *= 2\nreturn t, r",
    "slices in place": "V[:, 0] = 1\nV[1:, :] -= 2\nV[-1] = V[0]\nreturn V",
    "columns in place": "d = np.zeros((3, 4))\nd[:, 1] = c[0]\nd[0] += c[2] \nreturn d",
    "squeezed is a view": "q = h[:, None]\nr = np.squeeze(q)\nr *= 2\nreturn h, q",
    "swapaxes is a view": "t = V.swapaxes(0, 1)\nt += 1\nreturn V",
    "flatten is a copy": "q = s.reshape(-1, 1)\nr = q.flatten()\nr += 1\nreturn s, r",
    "asarray is no copy": "q = np.asarray(h)\nq += 1\nreturn h",
    "astype is a copy": "q = h.astype(float)\nq += 1\nreturn h",
    "lists of arrays share": "Ws = [W, V]\nWs[0] -= 1\nWs[1] = Ws[1] - 1\nreturn Ws, W, V",
    "dict entries share": "q = {'W': W, 'V': V}\nk = q['W']\nq['W'] += 1\nq['V'] = V * "
        "2\nreturn k, q",
    "scalars are values": "a = h.sum()\nk = a\na += 1\nreturn a, k",
    "boxed scalars are objects": "a = np.array(0.0)\nk = a\na += h.sum()\nreturn a, k",
    "elements": "W[0, 1] = 4\nk = W[0, 0]\nW[0, 0] += 1\nreturn W, k",
    "lists extend in place": "a = [1]\nk = a\na += [2]\nreturn k",
    "default arguments": (
        "def g0(v, acc=[]):\n    acc.append(v)\n    return acc\n"
        "g0(1)\nreturn [q * W for q in g0(2)]"
    ),
    "in place of the right side": "V += V\nS += S.T\nreturn V, S",
    "negative step": "return b[::-1], h[:, ::-1]",
    "fill": "d = np.ones_like(h)\nd.fill(3)\nreturn d",
    "gathered columns": "return p[:, y], T[:, :, y], T[0, :, y] if False else p[0, y]",
    "gathered rows": "return V.T[y], p[np.arange(len(y)), y], "
        "np.sum(-np.log(p[range(len(y)), y] ** 2))",
}  # fmt: skip

SHAPES_AND_AXES = {
    "concatenated ones": (
        "A = np.hstack([np.ones((len(x), 1)), x])\nB = np.vstack([np.ones((1, W.shape[1])), W])\n"
        "z = A @ B\nd = z * h\ndB = A.T @ d\nreturn z, dB, dB[1:], dB[0], (d @ B.T)[:, 1:], "
        "A[:, 1:]"
    ),
    "ones at the end": (
        "A = np.c_[x, np.ones(len(x))]\nB = np.concatenate([W, b[None, :]], axis=0)\n"
        "z = A.dot(B)\nreturn z, (h @ B.T)[:, :-1], B[-1], B[-1:], A.T @ h"
    ),
    "column stack": "A = np.column_stack((np.ones(len(x)), x))\nreturn A, np.tanh(A), A[:, 0]",
    "append ones": "A = np.append(x, np.ones((x.shape[0], 1)), axis=1)\nreturn A, A[:, :-1].T @ h",
    "concatenated and changed": (
        "A = np.concatenate((np.ones((1, hc.shape[1])), hc))\nA[0, :] = 2\nA[1:] *= 3\nreturn A"
    ),
    "stack and array": "return np.stack([b, 2 * b]), np.array([1, 2.5, b.sum()]), "
        "np.array([[1, 2]])",
    "row joined": "return np.r_[b, c], np.vstack((b, b)), np.hstack((b, c))",
    "row and column vectors": (
        "u = b.reshape(1, -1)\nv = c.reshape(-1, 1)\nreturn u * v, v @ u, np.outer(b, c), u + V.T, "
        "v.ravel(), u.flatten(), np.squeeze(v), (v.T * V).sum(0, keepdims=True)"
    ),
    "k and (k,1) broadcast otherwise": "return b + b[:, None], b[None] * S, b[:, None] * S, S * b",
    "sums": (
        "return h.sum(), h.sum(0), np.sum(h, axis=1, keepdims=True), h.mean(axis=-1), "
        "np.mean(h, 1),"
        " T.sum(axis=(0, 2)), h.max(), h.min(axis=0), np.var(h, axis=0), sum(b), sum(h), "
        "np.average(h)"
    ),
    "mean of products": "return np.mean(xc[:, None, :] * hc, 2), (h * g).mean(0)",
    "products with ones": "m = len(x)\nreturn h.T @ np.ones((m, 1)) / m, np.ones((1, m)) @ "
        "h, np.ones(m) @ h",
    "dots": (
        "return b @ S, S @ b, np.dot(b, b), np.dot(2, b), np.inner(b, b), np.inner(h, g), "
        "b.dot(V), np.multiply(b, b), np.matmul(h, V)"
    ),
    "einsum": (
        "return np.einsum('ij,jk', x, W), np.einsum('ij,ij->j', h, g), np.einsum('ij->', h), "
        "np.einsum('ni,nj->ij', x, h), np.einsum('ji', h), np.einsum('i,j', c, b)"
    ),
    "tensordot": (
        "return np.tensordot(h, V, 1), np.tensordot(h, g, axes=([0], [0])), np.tensordot(h, g), "
        "np.tensordot(T, W, axes=((0, 1), (0, 1))), np.tensordot(x, h, axes=(0, 0))"
    ),
    "axes": (
        "return np.transpose(T, (2, 0, 1)), T.transpose(1, 0, 2), T.swapaxes(0, 2), T[:, None], "
        "T[..., 0], T[0], np.expand_dims(b, 1), np.expand_dims(b, axis=0), T.T, b.T, T[1, :, 2]"
    ),
    "diagonals": "return np.diag(b), np.diag(S), np.diagflat(b[:, None]), np.trace(S), "
        "np.diag(b) @ V",
    "softmax jacobian": (
        "q = softmax(p, axis=1)\nreturn np.einsum('ij,jk->ijk', q, np.eye(q.shape[1])) - "
        "np.einsum('ij,ik->ijk', q, q)"
    ),
    "functions": (
        "return np.exp(b), np.log(b ** 2), np.tanh(b), np.log1p(b ** 2), np.expm1(b), "
        "np.square(b), "
        "np.sqrt(np.exp(b)), np.power(b, 2), np.abs(b), np.negative(b), np.divide(b, 2), "
        "np.subtract(b, 1), np.add(b, 1), np.reciprocal(b), np.sign(b), np.heaviside(b, 0.5), "
        "expit(b), softmax(b), logsumexp(h, axis=1), np.float64(2) * b, b ** -1, b ** 3"
    ),
    "conditions": (
        "z = h\nreturn (z > 0).astype(float), 1. * (z > 0), np.where(z > 0, 1, 0) * g, (z > "
        "0) * g, "
        "np.maximum(0, z), np.minimum(z, g), np.where(z > 0, z, 0.01 * z), (z >= 0) & (z < 1), "
        "~(z > 0), np.logical_or(z > 1, z < 0), np.greater(z, 0) * 2, np.clip(z, -0.5, 0.5), "
        "(z > 0).astype(int), np.array(z > 0, dtype=float), np.int64(3) if False else 0"
    ),
    "likes": (
        "return np.zeros_like(W) + 1, np.ones_like(W), np.full(W.shape, 2.5), np.full_like(W, 3), "
        "np.zeros(W.shape[0]), np.ones((2, 3), dtype=int), np.identity(3), np.eye(3)"
    ),
    "sizes": (
        "m = float(len(x))\nk = int(x.shape[1])\nn, d = x.shape\nreturn x / m, k, n * d, x.size, "
        "b.shape, np.shape(W), W.ndim, 1 / n, -(1.0 / m) * h, 3 // 2, 7 % 4, 2 ** 3, "
        "abs(-2), max(2, 3)"
    ),
    "math": "return math.exp(b.sum()) * h, math.sqrt(4) * h",
    "softmax with shift": (
        "e = np.exp(p - np.max(p, axis=1, keepdims=True))\nq = e / e.sum(axis=1, keepdims=True)\n"
        "r = np.exp(p - np.max(p))\nreturn q, r / np.sum(r, 1)[:, np.newaxis]"
    ),
    "columns are samples": (
        "m = xc.shape[1]\nz = np.dot(W.T, xc) + b.reshape(-1, 1)\nd = (z - hc) * (1 - "
        "np.tanh(z) ** 2)\n"
        "return np.dot(d, xc.T) / m, np.sum(d, axis=1, keepdims=True) / m, 1 / m * d.sum(1)"
    ),
    "isinstance": "return W if isinstance(W, np.ndarray) and not isinstance(W, (list, "
        "tuple)) else V",
    "slices": "return h[:, 1:], h[:-1], b[1:], b[-1], b[0], h[:, 0], h[0], T[:, 1:, 0], h[:len(h)]",
}  # fmt: skip

SAMPLES = {
    "sum of outer products": """
        dW = np.zeros_like(W)
        db = np.zeros(W.shape[1])
        for i in range(x.shape[0]):
            dW += np.outer(x[i], h[i])
            db += h[i]
        return dW / len(x), db
    """,
    "rows are written": """
        out = np.zeros((x.shape[0], W.shape[1]))
        for i in range(len(x)):
            z = x[i] @ W + b
            out[i] = np.tanh(z)
        return out
    """,
    "columns are written": """
        out = np.zeros((W.shape[1], xc.shape[1]))
        for i in range(xc.shape[1]):
            out[:, i] = W.T @ xc[:, i]
        return out
    """,
    "rows that the same pass reads": """
        d = np.zeros_like(h)
        dW = np.zeros_like(W)
        for i in range(len(x)):
            d[i] = h[i] * 2
            d[i] *= g[i]
            d[i, :] += 1
            dW = dW + np.outer(x[i], d[i])
        return d, dW
    """,
    "rows of an argument": """
        dW = 0
        for i in range(len(h)):
            h[i] = h[i] * g[i]
            dW -= np.outer(x[i], h[i])
        return h, dW
    """,
    "a loss": """
        loss = 0
        count = 0.0
        for i in range(len(p)):
            loss += -np.log(p[i, y[i]] ** 2)
            count += 1
        return loss / len(p), count
    """,
    "labels in a loop": """
        d = p.copy()
        for i in range(len(y)):
            d[i, y[i]] -= 1
        return d
    """,
    "zip of rows": """
        dW, db = np.zeros(W.shape), np.zeros(b.shape)
        for xi, hi in zip(x, h):
            delta = hi * (hi > 0)
            dW += xi[:, None] * delta[None, :]
            db -= delta
        for i, (xi, gi) in enumerate(zip(x, g)):
            db += gi * h[i]
        return dW, db
    """,
    "gradients in a dict": """
        grads = {"W": np.zeros_like(W), "b": np.zeros_like(b)}
        total = [np.zeros_like(b)]
        for i in range(x.shape[0]):
            grads["W"] += np.outer(x[i], h[i])
            grads["b"] += h[i]
            total[0] += 2 * h[i]
        return grads, total
    """,
    "two loops inside one another": """
        dW = np.zeros_like(W)
        for n in range(x.shape[0]):
            for i in range(W.shape[0]):
                for j in range(W.shape[1]):
                    dW[i, j] += x[n, i] * h[n, j]
        return dW
    """,
    "matrix product by loops": """
        out = np.zeros((x.shape[0], W.shape[1]))
        for n in range(x.shape[0]):
            for j in range(W.shape[1]):
                t = b[j]
                for i in range(W.shape[0]):
                    t += x[n, i] * W[i, j]
                out[n, j] = t
        return out
    """,
    "helpers in a loop": """
        def one(xi, hi):
            return np.outer(xi, hi), hi
        dW, db = np.zeros_like(W), np.zeros_like(b)
        for i in range(len(x)):
            gW, gb = one(x[i], h[i])
            dW, db = dW + gW, db + gb
        return dW, db
    """,
    "layers inside samples": """
        Ws = [W, V]
        dWs = [np.zeros(w.shape) for w in Ws]
        for i in range(len(x)):
            a = [x[i]]
            for w in Ws:
                a.append(np.tanh(a[-1] @ w))
            d = a[-1] - p[i]
            for l in reversed(range(len(Ws))):
                d = d * (1 - a[l + 1] ** 2)
                dWs[l] += np.outer(a[l], d)
                d = Ws[l] @ d
        return dWs
    """,
    "list of rows": """
        rows = np.array([np.tanh(xi) @ W for xi in x])
        return rows, sum([h[i] * g[i] for i in range(len(h))]), sum(np.sum(q ** 2) for q in h)
    """,
    "steps of gradient descent are no sum": """
        for t in range(3):
            z = x @ W
            W -= 0.1 * x.T @ (z - h)
        return W
    """,
}

ALL = {**LAYERS, **IN_PLACE, **SHAPES_AND_AXES, **SAMPLES}


@pytest.mark.parametrize("name", ALL)
def test_what_is_read_has_the_value_that_numpy_computes(name: str) -> None:
    check(ALL[name])


# --------------------------------------------------------------------------------------------
# What a sloppy reading would get wrong is refused, with its line
# --------------------------------------------------------------------------------------------

REFUSED = {
    "repeated indices": ("q = np.zeros(V.shape[1])\nq[y] += s\nreturn q", 6, "twice"),
    "repeated rows": ("q = np.zeros_like(V.T)\nq[y] = h\nreturn q", 6, "twice"),
    "a pass reads another": (
        "q = np.zeros_like(b)\nr = np.zeros_like(h)\nfor i in range(len(h)):\n    q += h[i]\n"
        "    r[i] = q\nreturn r",
        7,
        "depends on others",
    ),
    "momentum over samples": (
        "q = np.zeros_like(b)\nfor i in range(len(h)):\n    q = 0.9 * q + h[i]\nreturn q",
        6,
        "depends on others",
    ),
    "stochastic descent": (
        "for i in range(len(x)):\n    W -= np.outer(x[i], x[i] @ W - h[i])\nreturn W",
        5,
        "depends on others",
    ),
    "rows of others": (
        "r = h.copy()\nfor i in range(len(h)):\n    r[i] = r[0] + 1\nreturn r",
        6,
        "depends on others",
    ),
    "a flag of the first pass": (
        "first = True\nfor i in range(len(h)):\n    if first:\n        q = h[i]\n    first "
        "= False\n"
        "return q",
        6,
        "from pass to pass",
    ),
    "the last pass": ("for i in range(len(h)):\n    q = h[i]\nreturn q", 7, "last pass"),
    "names that are swapped": (
        "u, v = b * 1, b * 2\nfor i in range(len(h)):\n    u, v = v, u\nreturn u",
        8,
        "last pass",
    ),
    "changed under a name that moves": (
        "u, v = b * 1, b * 2\nfor i in range(len(h)):\n    u += h[i]\n    u = v\nreturn v",
        6,
        "gives its name to another",
    ),
    "a list that grows with the samples": (
        "q = []\nfor i in range(len(h)):\n    q.append(h[i])\nreturn q", 7, "list or dict",
    ),
    "an index that runs along": (
        "k = 0\nq = np.zeros_like(h)\nfor r in h:\n    q[k] = r\n    k += 1\nreturn q",
        8,
        "stay on its axis",
    ),
    "every other sample": (
        "q = 0\nfor i in range(0, len(h), 2):\n    q += h[i]\nreturn q", 6, "range",
    ),
    "an if on a sample": (
        "q = 0\nfor i in range(len(y)):\n    if y[i] == 1:\n        q += h[i]\nreturn q", 7, "if",
    ),
    "a range that grows": (
        "q = 0\nfor i in range(len(h)):\n    for j in range(i):\n        q += h[j]\nreturn q", 7,
        "range",
    ),
    "reshape may be a copy": (
        "d = h.T\nq = s.reshape(-1, 1)\nq += 1\nreturn s", 8, "may or may not",
    ),
    "out is not read": ("d = h.copy()\nnp.maximum(0, d, d)\nreturn d", 6, "arguments"),
    "out by name": ("d = h.copy()\nk = np.exp(d, out=d)\nreturn d", 6, "out"),
    "what is not read is an error once it is used": (
        "k = np.linalg.inv(S)\nd = S * 2\nreturn k @ d", 5, "linalg.inv",
    ),
    "a whole number cannot hold a decimal": (
        "d = np.zeros_like(y)\nd[0] = 0.5\nreturn d", 6, "int entries",
    ),
    "a size is not one": ("return h.reshape(1, -1) * b", 5, "merges"),
    "sizes decide": ("return h if len(h) > 10 else g", 5, "depends"),
    "several targets under a mask": ("d = h.copy()\nd[d > 0] = d[g > 0]\nreturn d", 6, "two masks"),
    "a list that is multiplied": ("return [0] * len(x)", 5, "list"),
    "two nested maxima stay what they are": ("return np.argmax(p, axis=1)", 5, "argmax"),
    "random numbers": ("return h * np.random.rand(*h.shape)", 5, "random"),
    "rounding decides": ("t = 0.1 + 0.2\nreturn h if t == 0.3 else g", 6, "rounding"),
    "rounding counts": ("t = 0\nwhile t < 1:\n    t += 0.1\nreturn t * h", 6, "rounding"),
    "rounding is cut off": ("return int((0.7 + 0.1) * 10) * h", 5, "int of"),
    "wide texts": ("return '%9999d' % 3", 5, "width"),
    "attributes in texts": ("return '{0.real}'.format(3)", 5, "attributes"),
    "long numbers": ("return 9 ** 9 ** 9", 5, "too long"),
    "long lists": ("return [0] * 10 ** 9", 5, "too long"),
    "many repetitions": ("for i in range(10 ** 9):\n    pass\nreturn h", 5, "repetitions"),
    "lists of lists of lists": (
        "a = [0] * 1000\nfor i in range(5):\n    a = [a] * 1000\nreturn a", 8, "too much",
    ),
    "what is in a long range": ("return h if 3.5 in range(10 ** 12) else g", 5, "no list"),
    "a try": ("try:\n    return h\nexcept ValueError:\n    return g", 5, "Try"),
    "global": ("global h0\nreturn h", 5, "Global"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_sloppy_reading_would_get_wrong_is_refused(name: str) -> None:
    body, line, what = REFUSED[name]
    with pytest.raises(TraceError, match=what) as caught:
        read(body)
    assert caught.value.line == line


CLASHES = [
    "return h + c",
    "return h @ h",
    "d = h.copy()\nd += T.sum(0)\nreturn d",
    "d = b.copy()\nd += h\nreturn d",
    "d = h.copy()\nd[g[:, :1] > 0] = 0\nreturn d",
    "return np.hstack([x, W])",
    "d = np.zeros(3)\nd[3] = 1\nreturn d",
]


@pytest.mark.parametrize("body", CLASHES)
def test_what_numpy_refuses_is_a_clash_of_shapes(body: str) -> None:
    with pytest.raises(ShapeClash):
        read(body)
    with pytest.raises((ValueError, IndexError)):
        executed(body)


def test_an_array_that_is_given_twice_is_not_changed() -> None:
    """Whether both are one array is not known."""
    twice = symbol("b")
    with pytest.raises(TraceError, match="others may share"):
        trace(
            "def f(u, v):\n    u += 1\n    return v",
            "f",
            {"u": twice, "v": twice},
            Algebra(NETWORK),
        )


def test_clipping_is_read_as_it_is_unless_it_is_waived() -> None:
    body = "import numpy as np\ndef f(b):\n    return np.clip(b, 0.1, 0.9)"
    plain = trace(body, "f", {"b": symbol("b")}, Algebra(NETWORK))
    assert plain.returned.form != symbol("b").form
    assert not plain.assumptions
    waived = trace(body, "f", {"b": symbol("b")}, Algebra(NETWORK), unclipped=True)
    assert waived.returned.form == symbol("b").form
    assert waived.assumptions == ("line 3: np.clip changes nothing",)


# --------------------------------------------------------------------------------------------
# Modules and objects
# --------------------------------------------------------------------------------------------

MODULES = {
    "constants": (
        "L = 2\nNAMES = ('W', 'V')\nRATE = 0.5 * L\nsizes = [1, 2]\ntable = {'s': np.tanh}",
        "return RATE * W, NAMES[1], [k * b for k in sizes], L, table['s'](b)",
    ),
    "helpers": (
        "def relu(z, slope=0.0):\n    return np.where(z > 0, z, slope * z)\n"
        "def relu_back(d, cache):\n    z, w = cache\n    d = np.array(d, copy=True)\n"
        "    d[z <= 0] = 0\n    return d, w.T",
        "d, wt = relu_back(g, (h, V))\nreturn relu(h), relu(h, slope=0.1), d, wt, g",
    ),
    "a helper that changes its argument": (
        "def mask(d, z):\n    d *= z > 0\n    return d",
        "k = h * 1\nr = mask(k, g)\nreturn k, r",
    ),
    "objects": (
        """
class Dense:
    bias = 1

    def __init__(self, W, rate=0.5):
        self.W = W
        self.rate = rate
        self.cache = {}

    def forward(self, x):
        self.cache["x"] = x
        self.z = x @ self.W + self.bias
        return self.relu(self.z)

    @staticmethod
    def relu(z):
        return np.maximum(z, 0)

    def backward(self, d):
        d = d * (self.z > 0)
        self.dW = self.cache["x"].T @ d
        back = d @ self.W.T
        self.W -= self.rate * self.dW
        return back
""",
        "layers = [Dense(W), Dense(V, rate=0.1)]\na = x\nfor layer in layers:\n"
        "    a = layer.forward(a)\nd = a - p\nfor layer in reversed(layers):\n"
        "    d = layer.backward(d)\nreturn d, layers[0].W, layers[1].dW, W",
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_and_objects_are_read(name: str) -> None:
    before, body = MODULES[name]
    check(body, before)


CHANGED_MODULES = [
    "L = 1\nL = 2",
    "L = 1\nL += 1",
    "L = [1]\nL.append(2)",
    "L = [1]\nk = L\nk.append(2)",
    "for L in range(3):\n    pass",
    "L = 1\ndef g():\n    global L\n    L = 2",
    "if True:\n    L = 3",
    "L = [1]\ndef g():\n    L.append(2)\ng()",
    "from elsewhere import L",
    "def L():\n    return 1\nL = 2",
]


@pytest.mark.parametrize("before", CHANGED_MODULES)
def test_a_name_of_a_module_that_may_be_something_else_is_not_read(before: str) -> None:
    with pytest.raises(TraceError):
        read("return L * b", before)


METHOD = """
import numpy as np

class Net:
    def backward(self, d):
        for l in range(2, 0, -1):
            self.grads[f"dW{l}"] = self.hs[l - 1].T @ d
            d = d @ getattr_free(self, l).T
        self.db = np.sum(d)

def getattr_free(net, l):
    w = net.Ws[l - 1]
    return w
"""


def test_a_method_without_return_leaves_its_object_changed() -> None:
    fields = {"grads": {}, "hs": [symbol("x"), symbol("h")], "Ws": [symbol("W"), symbol("V")]}
    arguments = {"self": Object(fields, "Net"), "d": symbol("p")}
    traced = trace(METHOD, "Net.backward", arguments, Algebra(NETWORK), must_return=False)
    left = traced.arguments["self"].fields
    v = values()
    agree(numbers(left["grads"]["dW2"]), v["h"].T @ v["p"])
    agree(numbers(left["grads"]["dW1"]), v["x"].T @ v["p"] @ v["V"].T)
    agree(numbers(left["db"]), (v["p"] @ v["V"].T @ v["W"].T).sum())
    assert [(a.name, a.label, a.line, a.depth, a.function) for a in traced.assignments] == [
        ("l", "l", 6, 0, "backward"),
        ('self.grads["dW2"]', "dW2", 7, 0, "backward"),
        ("w", "w", 12, 1, "getattr_free"),
        ("d", "d", 8, 0, "backward"),
        ("l", "l", 6, 0, "backward"),
        ('self.grads["dW1"]', "dW1", 7, 0, "backward"),
        ("w", "w", 12, 1, "getattr_free"),
        ("d", "d", 8, 0, "backward"),
        ("self.db", "db", 9, 0, "backward"),
    ]
    stored = [a for a in traced.assignments if a.label.startswith("dW")]
    assert [a.loops for a in stored] == [(("l", 2),), (("l", 1),)]
    assert all((a.column, a.end_line, a.end_column) == (12, 7, 55) for a in stored)
    agree(numbers(stored[0].value), v["h"].T @ v["p"])


def test_assignments_keep_the_value_of_their_time() -> None:
    traced = read("d = h.copy()\nd[g <= 0] = 0\nd *= 2\nk = d\nk += 1\nreturn d")
    assert [(a.name, a.changed) for a in traced.assignments] == [
        ("d", False), ("d", True), ("d", True), ("k", False), ("k", True),
    ]  # fmt: skip
    v = values()
    first, second, third, *_ = [numbers(a.value) for a in traced.assignments]
    agree(first, v["h"])
    agree(second, np.where(v["g"] <= 0, 0, v["h"]))
    agree(third, np.where(v["g"] <= 0, 0, 2 * v["h"]))


def test_values_in_a_loop_over_samples_hold_its_index() -> None:
    traced = read("q = 0\nfor i in range(len(h)):\n    d = h[i] * 2\n    q += d\nreturn q")
    inside = [a for a in traced.assignments if a.samples]
    assert {a.name for a in inside} == {"i", "d", "q"}
    (d,) = [a for a in inside if a.name == "d"]
    assert d.samples[0] in d.value.form.variables


def test_the_ones_row_goes_away_again() -> None:
    """Not only in value: the forms are those of a network with W and b apart."""
    body = "A = np.hstack([np.ones((len(x), 1)), x])\nB = np.vstack([b, W])\nreturn A @ B, A.T @ h"
    product, gradient = read(body).returned
    apart = read("return x @ W + b, x.T @ h, h.sum(0)").returned
    assert product.form == apart[0].form
    rows = read(body.replace("A.T @ h", "(A.T @ h)[1:], (A.T @ h)[0]")).returned
    assert rows[1].form == apart[1].form
    assert rows[2].form == apart[2].form
    assert gradient.shape[0] == product.shape[0] or gradient.ndim == 2


def test_a_loop_over_samples_has_the_form_of_the_matrix_product() -> None:
    loop = read(SAMPLES["sum of outer products"]).returned
    whole = read("return x.T @ h / len(x), h.sum(axis=0)").returned
    assert [one.form for one in loop] == [other.form for other in whole]
