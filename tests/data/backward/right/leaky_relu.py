#: input = "d"
#: loss = "squared_error"
#: reduction = "mean"
#: half = true
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "leaky_relu"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "identity"

import numpy as np


def backward(x, y, W1, b1, W2, b2):
    m = x.shape[0]
    z1 = x.dot(W1) + b1
    a1 = np.where(z1 > 0, z1, 0.01 * z1)
    a2 = a1.dot(W2) + b2
    dz2 = a2 - y
    dW2 = a1.T.dot(dz2) / m
    db2 = dz2.sum(axis=0) / m
    da1 = dz2.dot(W2.T)
    slope = np.where(z1 > 0, 1.0, 0.01)
    dz1 = da1 * slope
    dW1 = x.T.dot(dz1) / m
    db1 = dz1.sum(axis=0) / m
    return dW1, db1, dW2, db2
