#: input = "d"
#: loss = "cross_entropy"
#: reduction = "sum"
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
    h1 = np.tanh(x @ W1 + b1)
    z2 = h1 @ W2 + b2
    e = np.exp(z2)
    yhat = e / e.sum(axis=1, keepdims=True)
    dyhat = -y / yhat
    dz2 = yhat * (dyhat - (dyhat * yhat).sum(axis=1, keepdims=True))
    dW2 = h1.T @ dz2
    db2 = dz2.sum(axis=0)
    dz1 = (dz2 @ W2.T) * (1 - h1**2)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
