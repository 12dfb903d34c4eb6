#: input = "d"
#: loss = "squared_error"
#: reduction = "sum"
#: half = true
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "tanh"

import numpy as np


def backward(y, W2, x, a1, a2):
    d2 = (a2 - y) * (1 - a2**2)
    d1 = (d2 @ W2.T) * (1 - a1**2)
    dW1 = x.T @ d1
    db1 = np.sum(d1, axis=0)
    dW2 = a1.T @ d2
    db2 = np.sum(d2, axis=0)
    return dW1, db1, dW2, db2
