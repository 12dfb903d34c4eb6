"""Notes: `formula` judges one, `conventions` finds what letters mean, the rest a whole page."""
