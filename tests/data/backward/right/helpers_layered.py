#: input = "d"
#: loss = "binary_cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "relu"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "sigmoid"

import numpy as np


def linear_backward(dZ, A_prev, W):
    m = A_prev.shape[1]
    dW = np.dot(dZ, A_prev.T) / m
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def relu_backward(dA, Z):
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ


def sigmoid_backward(dA, Z):
    s = 1 / (1 + np.exp(-Z))
    return dA * s * (1 - s)


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2 @ A1 + b2
    A2 = 1 / (1 + np.exp(-Z2))
    dA2 = (1 - Y) / (1 - A2) - Y / A2
    dZ2 = sigmoid_backward(dA2, Z2)
    dA1, dW2, db2 = linear_backward(dZ2, A1, W2)
    dZ1 = relu_backward(dA1, Z1)
    dX, dW1, db1 = linear_backward(dZ1, X, W1)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
