"""What the lab knows: read and checked, laid over what the source says, with the origin of every value."""

from nwbridge.metadata.given import check, from_settings, load, merge, schema
from nwbridge.metadata.keys import Metadata
from nwbridge.metadata.layers import overlay
from nwbridge.metadata.origins import UNKNOWN, Field, fields

__all__ = ["UNKNOWN", "Field", "Metadata", "check", "fields", "from_settings", "load", "merge", "overlay", "schema"]
