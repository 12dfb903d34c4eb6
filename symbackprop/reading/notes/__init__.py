"""Markdown, LaTeX files and notebooks -> passages: prose and formulas, with their places."""
