"""What results are held against; no witness uses the rules or the sweep that it is to confirm."""
