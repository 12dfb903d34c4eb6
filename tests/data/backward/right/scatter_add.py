#: input = "d"
#: loss = "cross_entropy"
#: reduction = "mean"
#: labels = "integer"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "softmax"

import numpy as np


def backward(x, y, W1, b1, W2, b2):
    n = x.shape[0]
    h = np.tanh(x @ W1 + b1)
    logits = h @ W2 + b2
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    dlogits = p / n
    np.add.at(dlogits, (np.arange(n), y), -1.0 / n)
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(axis=0)
    dh = dlogits @ W2.T
    dz = dh * (1 - h * h)
    dW1 = x.T @ dz
    db1 = dz.sum(axis=0)
    return dW1, db1, dW2, db2
