#: input = "d"
#: loss = "squared_error"
#: reduction = "sum"
#: half = true
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "sigmoid"
#: bias = false
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "sigmoid"
#: bias = false

import numpy as np


def backward(X, y, W1, W2):
    z2 = np.dot(X, W1)
    a2 = 1 / (1 + np.exp(-z2))
    z3 = np.dot(a2, W2)
    yHat = 1 / (1 + np.exp(-z3))
    delta3 = np.multiply(-(y - yHat), np.exp(-z3) / ((1 + np.exp(-z3)) ** 2))
    dJdW2 = np.dot(a2.T, delta3)
    delta2 = np.dot(delta3, W2.T) * np.exp(-z2) / ((1 + np.exp(-z2)) ** 2)
    dJdW1 = np.dot(X.T, delta2)
    return dJdW1, dJdW2
