"""What an operator, a signal or another program asks → what is done, and what is told of it."""
