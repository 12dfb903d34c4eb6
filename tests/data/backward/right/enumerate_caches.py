#: input = "d"
#: loss = "squared_error"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "sigmoid"
#: [[layers]]
#: type = "dense"
#: units = "g"
#: activation = "sigmoid"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "identity"

import numpy as np


def backward(x, y, weights, biases):
    hs = [x]
    for l, (W, b) in enumerate(zip(weights, biases)):
        z = hs[-1] @ W + b
        hs.append(z if l == len(weights) - 1 else 1 / (1 + np.exp(-z)))
    delta = 2 * (hs[-1] - y) / x.shape[0]
    dW = [None] * len(weights)
    db = [None] * len(weights)
    for l in reversed(range(len(weights))):
        dW[l] = hs[l].T @ delta
        db[l] = np.sum(delta, axis=0)
        if l > 0:
            delta = (delta @ weights[l].T) * hs[l] * (1 - hs[l])
    return dW, db
