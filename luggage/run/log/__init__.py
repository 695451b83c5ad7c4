"""What is printed and told → the lines of one log, whoever reads it."""
