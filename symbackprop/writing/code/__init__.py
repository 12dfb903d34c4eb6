"""From equations and adjoints to source text, one module for each backend.

Every gradient line comes from a derivation; a backend knows how to write, and how to compute a
forward pass without overflow, and nothing about backpropagation.
"""
