"""What the letters, marks and sections of a note mean: settings are searched, not guessed."""
