"""From a network to its derivatives: the rules, the sweep, its steps, and what reads them."""
