#: input = "d"
#: loss = "squared_error"
#: reduction = "sum"
#: half = true
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "sigmoid"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "identity"

import numpy as np


def backward(x, y, W1, b1, W2, b2):
    dW1 = np.zeros_like(W1)
    db1 = np.zeros_like(b1)
    dW2 = np.zeros_like(W2)
    db2 = np.zeros_like(b2)
    for i in range(x.shape[0]):
        h1 = 1 / (1 + np.exp(-(x[i] @ W1 + b1)))
        delta2 = h1 @ W2 + b2 - y[i]
        delta1 = (W2 @ delta2) * h1 * (1 - h1)
        dW2 += np.outer(h1, delta2)
        db2 += delta2
        dW1 += np.outer(x[i], delta1)
        db1 += delta1
    return dW1, db1, dW2, db2
