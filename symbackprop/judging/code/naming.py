"""Which tensor a name in somebody's code means: arguments, dict keys, locals, returned values.

Owns: the customary names (`A1`, `y_hat`, `dZ2`, `grad_W1`, `hidden_error`), the count of layers.
Refuses: values. A name is a guess that the judge compares with numbers; a name that says nothing
has no meaning here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.networks import names

INPUTS = frozenset(
    "x a0 h0 inputs input inp data features x_batch xs x_train batch_x samples sample".split()
)
LABELS = frozenset(
    "y t target targets labels label y_true ytrue y_onehot y_one_hot onehot one_hot actual "
    "y_batch truth ys y_train expected desired batch_y".split()
)
OUTPUTS = frozenset(
    "yhat y_hat p out output outputs y_pred ypred pred preds prediction predictions probs prob "
    "probabilities al o aout a_out a_o h_out output_layer yh y_p".split()
)
SCORES = frozenset("logits scores zl z_out zout z_o zo score".split())
HIDDEN = frozenset("hidden hid h a h_hidden a_h ah a_hidden hidden_layer hidden_out".split())
HIDDEN_SCORES = frozenset("z zh z_h z_hidden zhidden hidden_z pre pre_h".split())
COUNTS = frozenset(
    "m n num_examples n_samples num_samples batch_size batch nsamples n_examples bs".split()
)
DEPTHS = frozenset("l depth num_layers n_layers nlayers layers_count".split())
RATES = frozenset("lr alpha eta learning_rate rate step step_size".split())
TURNS = frozenset(
    "epochs epoch num_epochs n_epochs nepochs iterations iters num_iterations num_iters n_iter "
    "n_iters n_iterations max_iter max_iters max_iterations steps num_steps n_steps turns "
    "num_passes n_epoch rounds".split()
)
PARAMETERS = frozenset("params parameters param p theta model weights_dict net".split())
CACHES = frozenset("cache caches memory saved forward_cache store mem state act acts tape".split())
WEIGHT_LISTS = frozenset("weights w ws weight".split())
BIAS_LISTS = frozenset("biases b bs bias".split())
ACTIVATION_LISTS = frozenset("activations a h hs acts activation as_ outputs layers hidden".split())
SCORE_LISTS = frozenset("zs z preacts pre_activations preactivations z_list".split())
FIRST_OF_TWO = "wh w_h w_hidden syn0 w_ih wih wxh w_xh w_in w_input w_i"
LAST_OF_TWO = "wout wo w_o w_out w_output syn1 w_ho who why w_hy w_oh v"

WEIGHT_WORDS = frozenset("w weight weights ws theta synapse synapses kernel".split())
BIAS_WORDS = frozenset("b bias biases bs".split())
_GRADIENT_WORDS = frozenset("grad grads gradient gradients nabla nablas d delta deltas dl".split())
_STEPS_WORDS = _GRADIENT_WORDS | frozenset("list by wrt of all".split())
_FILLING = frozenset("to layer of the and".split())
_FIRST_SIDE = frozenset("in input inputs i x ih".split())
_MIDDLE = frozenset("h hid hidden mid middle ih".split())
_LAST_SIDE = frozenset("o out output outputs ho y".split())

_SIZE_WORDS = frozenset(
    "n num size dim dims nodes units neurons width features classes labels class".split()
)
_CLASS_WORDS = frozenset("class classes labels".split())
_PENALTY = re.compile(
    r"lam|lambd|lambda|lmbda|lmbd|lamda|reg|regular.*|decay|wd|l2|penalty|strength"
)
_NODES = {"inodes": 0, "hnodes": 1, "onodes": -1}
WIDTH_LISTS = frozenset(
    "sizes widths layers dims layer_sizes layer_dims layers_dims layer_widths units nodes shape "
    "architecture structure topology dimensions neurons".split()
)

_LAYERED = re.compile(r"([a-z]+(?:_[a-z]+)*?)_?\[?(\d+)\]?")
_GRADIENT = re.compile(
    r"(?:d[lj]?_?d?_?|grad(?:ient)?s?_?(?:of_)?|g_|nabla_|delta_?|del_|partial_)(?=[a-z])"
)
_AFTER = re.compile(r"(.+?)_?(?:grads?|gradients?|deltas?|errors?|err|_d)")
_ADJOINTS = frozenset("delta d error err dlt e deltas delta_ zeta grad g errors loss_grad".split())


@dataclass(frozen=True)
class Naming:
    """How many layers there are, and what their counting in this code starts from.

    A meaning is a tensor of the network (`W1`, `z2`, `h1`, `x`), or `d:` and one: its adjoint.
    `roles`: the meaning of names that say nothing, found by what the code does with them.
    """

    depth: int
    offset: int = 0
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)

    def meaning(self, name: str) -> str | None:
        """Of a value in the code; None where the name says nothing."""
        low = name.lower().strip("_")
        return self.roles.get(name) or self._forward(low, name) or self._adjoint(low)

    def gradient(self, name: str) -> str | None:
        """Of a returned value: there `W1` means the gradient too."""
        found = self.meaning(name)
        if found and found[0] in "Wb":
            return names.gradient(found)
        return found

    def _forward(self, low: str, name: str) -> str | None:
        for known, meaning in ((INPUTS, "x"), (LABELS, "y"), (OUTPUTS, names.output(self.depth))):
            if low in known:
                return meaning
        if low in SCORES:
            return names.total(self.depth)
        if low in COUNTS:
            return "N"
        if low in ("loss", "cost", "j"):
            return "L"
        if self.depth == 2 and low in HIDDEN | HIDDEN_SCORES:
            return names.output(1) if low in HIDDEN else names.total(1)
        if self.depth == 1 and low in HIDDEN_SCORES | {"a"}:
            return names.total(1) if low in HIDDEN_SCORES else names.output(1)
        return self._parameter(low) or self._layered(low, name) or self._worded(low)

    def _parameter(self, low: str) -> str | None:
        if self.depth == 1:
            if low in ("w", "weights", "weight", "theta", "synaptic_weights"):
                return names.weight(1)
            if low in ("b", "bias", "biases"):
                return names.bias(1)
        if self.depth == 2:
            for words, layer in ((FIRST_OF_TWO, 1), (LAST_OF_TWO, 2)):
                if low in words.split():
                    return names.weight(layer)
                if low.replace("b", "w", 1) in words.split() and low.startswith("b"):
                    return names.bias(layer)
        return None

    def _worded(self, low: str) -> str | None:
        """`weights_input_hidden`, `bias_output`: the last side named is the one it leads to."""
        words = low.split("_")
        called = names.weight if WEIGHT_WORDS & set(words) else names.bias
        sides = [w for w in words if w not in WEIGHT_WORDS | BIAS_WORDS | _FILLING]
        if not sides or len(sides) == len(words):
            return None
        last = sides[-1]
        if len(last) == 1 and last == words[0]:
            return None  # X_b is the data with a column for the bias
        if last in _LAST_SIDE:
            return called(self.depth)
        is_first = last in _FIRST_SIDE and len(sides) == 1
        return called(1) if is_first or (last in _MIDDLE and self.depth == 2) else None

    def list_letter(self, name: str) -> str:
        """`W` or `b` where a name is one of a list of their gradients, as `bias_grads`; else
        empty."""
        words = [w for w in re.split(r"_|(?<=d)(?=[wb]s?$)", name.lower()) if w]
        left = [w for w in words if w not in _STEPS_WORDS]
        if len(left) != 1 or len(left) == len(words):
            return ""
        return "W" if left[0] in WEIGHT_WORDS else "b" if left[0] in BIAS_WORDS else ""

    def _layered(self, low: str, name: str) -> str | None:
        found = _LAYERED.fullmatch(low)
        if found is None:
            return None
        word, layer = found[1], int(found[2]) + self.offset
        if word in ("syn", "synapse"):
            return self._of(names.weight, int(found[2]) + 1)
        if word in ("w", "weight", "weights", "theta"):
            return self._of(names.weight, layer)
        if word in ("b", "bias", "biases"):
            return self._of(names.bias, layer)
        layer -= self.offset  # activations count from the input whatever the weights do
        if layer == 0 and word in ("a", "h", "x", "layer", "l", "activation"):
            return "x"
        if word in ("h", "a", "act", "activation", "hidden", "o", "out", "layer", "l"):
            return self._of(names.output, layer)
        if word in ("z", "s", "net", "u", "pre", "score", "scores", "logits"):
            return self._of(names.total, layer)
        return None

    def _of(self, called: Callable[[int], str], layer: int) -> str | None:
        return called(layer) if 1 <= layer <= self.depth else None

    def _adjoint(self, low: str) -> str | None:
        layered = _LAYERED.fullmatch(low)
        if layered and layered[1] in _ADJOINTS:
            total = self._of(names.total, int(layered[2]))
            return None if total is None else names.gradient(total)
        if low in ("delta_out", "output_delta", "delta_output", "d_out", "out_delta", "delta_o"):
            return names.gradient(names.total(self.depth))
        if self.depth == 2 and low in ("delta_hidden", "hidden_delta", "delta_h", "d_hidden_layer"):
            return names.gradient(names.total(1))
        for rest in self._stripped(low):
            inner = self._forward(rest, rest)
            if inner and inner not in ("y", "L", "N"):
                return names.gradient(inner)
        return None

    def _stripped(self, low: str) -> Iterable[str]:
        if found := _GRADIENT.match(low):
            yield low[found.end() :]
        if low.startswith("d"):
            yield low[1:]
        if found := _AFTER.fullmatch(low):
            yield found[1]


def is_penalty(name: str) -> bool:
    """Whether a name is one of the strength of a penalty: `lambd`, `weight_decay`, `reg`."""
    words = name.lower().strip("_").split("_")
    return any(_PENALTY.fullmatch(word) for word in words)


def width_of(name: str, widths: Sequence[int]) -> int | None:
    """The size that a name such as `hidden_size` or `n_classes` says; `widths` from x on."""
    low = name.lower().strip("_")
    words = set(low.split("_"))
    if low in _NODES and (low != "hnodes" or len(widths) == 3):
        return widths[_NODES[low]]
    if len(words) < 2 or not words & _SIZE_WORDS:
        return None
    if words & (_CLASS_WORDS | (_LAST_SIDE - {"ho"})):
        return widths[-1]
    if words & (_FIRST_SIDE - {"ih"} | {"features"}):
        return widths[0]
    return widths[1] if len(widths) == 3 and words & (_MIDDLE - {"ih"}) else None


def offset_of(written: Iterable[str], depth: int) -> int:
    """1 where weights are counted from 0 (`W0`, `W1`), else 0."""
    low = {name.lower().strip("_") for name in written}
    zero = bool(low & {"w0", "w_0", "weights0", "theta0", "b0", "b_0"})
    last = {f"{word}{depth}" for word in ("w", "w_", "b")}
    return 1 if zero and not low & last else 0


def argument_lists(function: ast.FunctionDef) -> frozenset[str]:
    """Arguments that may be lists of arrays, or what is looked up by layer."""
    spec = function.args
    names = {a.arg.lower() for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    known = WEIGHT_LISTS | BIAS_LISTS | ACTIVATION_LISTS | SCORE_LISTS | CACHES | PARAMETERS
    return frozenset(names & known)
