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


def sigmoid(x, deriv=False):
    if deriv:
        return x * (1 - x)
    return 1 / (1 + np.exp(-x))


def backward(X, y, W1, b1, W2, b2, lr):
    l1 = sigmoid(np.dot(X, W1) + b1)
    l2 = sigmoid(np.dot(l1, W2) + b2)
    l2_error = y - l2
    l2_delta = l2_error * sigmoid(l2, deriv=True)
    l1_error = l2_delta.dot(W2.T)
    l1_delta = l1_error * sigmoid(l1, deriv=True)
    W2 += lr * l1.T.dot(l2_delta)
    b2 += lr * l2_delta.sum(axis=0)
    W1 += lr * X.T.dot(l1_delta)
    b1 += lr * l1_delta.sum(axis=0)
    return W1, b1, W2, b2
