"""What the lab knows: read and checked, laid over what the source says, with the origin of every value."""

from nwbridge.metadata.doubts import doubts, unmentioned
from nwbridge.metadata.files import load, load_all
from nwbridge.metadata.given import check, merge, schema
from nwbridge.metadata.keys import Metadata
from nwbridge.metadata.layers import overlay
from nwbridge.metadata.measured import contradicted
from nwbridge.metadata.origins import UNKNOWN, Field, answered, fields
from nwbridge.metadata.recordings import for_path, for_subject, how_to_read, unmatched
from nwbridge.metadata.settings import from_settings, override, settings_of
from nwbridge.metadata.tables import load_table

__all__ = [
    "UNKNOWN",
    "Field",
    "Metadata",
    "answered",
    "check",
    "contradicted",
    "doubts",
    "fields",
    "for_path",
    "for_subject",
    "from_settings",
    "how_to_read",
    "load",
    "load_all",
    "load_table",
    "merge",
    "overlay",
    "override",
    "schema",
    "settings_of",
    "unmatched",
    "unmentioned",
]
