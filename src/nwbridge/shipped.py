"""Files that travel with the package."""

from pathlib import Path


def schemas() -> Path:
    """Return the folder of JSON schemas and NWB namespaces."""
    here = Path(__file__).parent
    inside = here / "schemas"
    return inside if inside.exists() else here.parents[1] / "schemas"  # an editable installation
