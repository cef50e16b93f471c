"""Push: read fresh, judge, send, and write down what became of each edit."""
