#: input = "d"
#: loss = "cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = "g"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "softmax"

import numpy as np


def backward(params, cache, x, y):
    L = len(params) // 2
    N = x.shape[0]
    grads = {}
    delta = (cache[f"h{L}"] - y) / N
    for l in reversed(range(1, L + 1)):
        before = x if l == 1 else cache[f"h{l - 1}"]
        grads[f"W{l}"] = before.T @ delta
        grads[f"b{l}"] = delta.sum(axis=0)
        if l > 1:
            delta = (delta @ params[f"W{l}"].T) * (1 - before**2)
    return grads
