#: input = "d"
#: loss = "cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "sigmoid"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "softmax"

import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def softmax(z):
    e = np.exp(z - np.max(z))
    return e / e.sum()


def backward(x, y, W1, b1, W2, b2):
    z1 = W1 @ x + b1
    a1 = sigmoid(z1)
    z2 = W2 @ a1 + b2
    a2 = softmax(z2)
    delta2 = a2 - y
    delta1 = (W2.T @ delta2) * sigmoid_prime(z1)
    dW1 = np.outer(delta1, x)
    dW2 = np.outer(delta2, a1)
    return dW1, delta1, dW2, delta2
