#: input = "d"
#: loss = "squared_error"
#: reduction = "mean"
#: half = true
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = 1
#: activation = "identity"

import numpy as np


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    A1 = np.tanh(W1 @ X + b1)
    A2 = W2 @ A1 + b2
    dZ2 = A2 - Y
    dW2 = np.mean(A1 * dZ2, axis=1, keepdims=True).T
    db2 = np.mean(dZ2, axis=1, keepdims=True)
    dZ1 = W2.T * dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T / m
    db1 = np.mean(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
