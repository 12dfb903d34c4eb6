#: input = "d"
#: loss = "squared_error"
#: reduction = "sum"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "softplus"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "identity"

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(x, y, W1, b1, W2, b2):
    z1 = x @ W1 + b1
    h1 = np.log(1 + np.exp(z1))
    yhat = h1 @ W2 + b2
    dyhat = 2 * (yhat - y)
    dW2 = h1.T @ dyhat
    db2 = dyhat.sum(axis=0)
    dh1 = dyhat @ W2.T
    dz1 = dh1 * sigmoid(z1)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
