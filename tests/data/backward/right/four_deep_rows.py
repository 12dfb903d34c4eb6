#: input = "d"
#: loss = "cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "sigmoid"
#: [[layers]]
#: type = "dense"
#: units = "g"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = "f"
#: activation = "relu"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "softmax"

import numpy as np


def backward(params, x, y):
    W1, b1 = params["W1"], params["b1"]
    W2, b2 = params["W2"], params["b2"]
    W3, b3 = params["W3"], params["b3"]
    W4, b4 = params["W4"], params["b4"]
    h1 = 1 / (1 + np.exp(-(x @ W1 + b1)))
    h2 = np.tanh(h1 @ W2 + b2)
    z3 = h2 @ W3 + b3
    h3 = z3 * (z3 > 0)
    z4 = h3 @ W4 + b4
    e = np.exp(z4 - z4.max(axis=1, keepdims=True))
    yhat = e / e.sum(axis=1, keepdims=True)
    N = x.shape[0]
    delta4 = (yhat - y) / N
    delta3 = (delta4 @ W4.T) * (z3 > 0)
    delta2 = (delta3 @ W3.T) * (1 - h2**2)
    delta1 = (delta2 @ W2.T) * h1 * (1 - h1)
    return {
        "W1": x.T @ delta1,
        "b1": delta1.sum(axis=0),
        "W2": h1.T @ delta2,
        "b2": delta2.sum(axis=0),
        "W3": h2.T @ delta3,
        "b3": delta3.sum(axis=0),
        "W4": h3.T @ delta4,
        "b4": delta4.sum(axis=0),
    }
