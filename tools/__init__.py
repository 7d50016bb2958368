"""What is made from the program, and delivered with it."""
