"""Where two ways to the same thing are compared: code with derivation, derivation with oracles."""
