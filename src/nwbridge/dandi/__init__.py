"""The archive DANDI: names and layout, the gate before it, and upload through its own client."""
