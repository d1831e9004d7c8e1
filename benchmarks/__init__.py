"""Speed, memory and file size of nwbridge, beside NeuroConv: `python -m benchmarks`."""
