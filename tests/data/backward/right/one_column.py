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
#: activation = "sigmoid"

import numpy as np


def f(z):
    return 1 / (1 + np.exp(-z))


def df(z):
    return f(z) * (1 - f(z))


def backward(x, t, W1, b1, W2, b2):
    z1 = W1 @ x + b1
    a1 = f(z1)
    z2 = W2 @ a1 + b2
    a2 = f(z2)
    delta2 = (a2 - t) * df(z2)
    delta1 = W2.T @ delta2 * df(z1)
    return {"dW1": delta1 @ x.T, "db1": delta1, "dW2": delta2 @ a1.T, "db2": delta2}
