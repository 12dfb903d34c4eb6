"""What a report looks like: text for people, JSON, GitHub annotations, Markdown, marked notes.

Owns: words and layout. Refuses: deciding anything; a printer reads the records of `report` and
what the notes themselves say. Wrong if text from a note could steer a terminal, a workflow or a
browser.
"""
