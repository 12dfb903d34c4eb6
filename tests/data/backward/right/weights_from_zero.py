#: input = "d"
#: loss = "cross_entropy"
#: reduction = "sum"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "sigmoid"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "softmax"

import numpy as np


def backward(x, y, W0, b0, W1, b1):
    h = 1 / (1 + np.exp(-(x @ W0 + b0)))
    s = h @ W1 + b1
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    ds = p - y
    dW1 = h.T @ ds
    db1 = ds.sum(axis=0)
    dh = ds @ W1.T
    dpre = dh * h * (1 - h)
    dW0 = x.T @ dpre
    db0 = dpre.sum(axis=0)
    return {"W0": dW0, "b0": db0, "W1": dW1, "b1": db1}
