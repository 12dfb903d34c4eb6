"""Documents as typed blocks: what is said, apart from how it is printed.

`formulas` are mathematical objects that can be shown and evaluated, `scene` is the network at
numbers in which they are evaluated, `blocks` are the parts of a page, and the sections build
blocks from a derivation. Nothing here knows Markdown or a LaTeX preamble.
"""
