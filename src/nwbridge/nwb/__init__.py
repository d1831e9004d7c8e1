"""The only room that speaks NWB: builds, fills, verifies and writes files."""
