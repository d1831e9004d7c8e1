"""Processes beside this one, which take tasks as plain values; whatever kills one harms no other."""
