"""One formula under settings that are known: its value, and whether it is true."""
