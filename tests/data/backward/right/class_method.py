#: input = "d"
#: loss = "cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "softmax"

import numpy as np


class Net:
    def backward(self, x, y):
        n = x.shape[0]
        z1 = x @ self.W1 + self.b1
        a1 = np.tanh(z1)
        z2 = a1 @ self.W2 + self.b2
        e = np.exp(z2 - z2.max(axis=1, keepdims=True))
        probs = e / e.sum(axis=1, keepdims=True)
        dz2 = (probs - y) / n
        self.dW2 = a1.T @ dz2
        self.db2 = dz2.sum(axis=0, keepdims=True)
        dz1 = dz2 @ self.W2.T * (1 - a1**2)
        self.dW1 = x.T @ dz1
        self.db1 = dz1.sum(axis=0, keepdims=True)
