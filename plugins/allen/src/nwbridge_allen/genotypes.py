"""What a genotype says: the calcium indicator that the neuron expresses, and the mouse line."""

import re

INDICATORS = {"ai93": "GCaMP6f", "ai94": "GCaMP6s"}  # the reporter lines of the data set
WORDS = re.compile(r"\bai9[34](?!\d)|\bgcamp6[fs]\b", re.IGNORECASE)


def indicator_of(genotype: str | None) -> str | None:
    """Return the indicator that the reporter line brings; None where none is known, or several are named."""
    found = {INDICATORS.get(word.lower(), f"GCaMP6{word[-1].lower()}") for word in WORDS.findall(genotype or "")}
    return found.pop() if len(found) == 1 else None


def line_of(genotype: str | None) -> str | None:
    """Return the line in words: the driver and, where the indicator is known, what the publications call it."""
    parts = [part.strip() for part in re.split("[;/]", genotype or "")]
    drivers = [part for part in parts if re.match(r"(Emx1|Cux2)\b", part, re.IGNORECASE)]
    if len(drivers) != 1:
        return None
    indicator = indicator_of(genotype)
    short = f", {drivers[0][:4].capitalize()}-{indicator[-1]} in the publications" if indicator else ""
    return f"transgenic mouse, driver line {drivers[0]}{short}"
