"""The smallest deployment: one app, no secrets, every setting as luggage ships it."""
