"""What somebody wrote by hand, in notes or in code: right, wrong and why, or undecided."""
