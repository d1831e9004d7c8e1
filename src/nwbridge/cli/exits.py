"""Exit codes, and what they mean in words."""

DONE, FINDINGS, REFUSED, INTERRUPTED = 0, 1, 2, 130
IN_WORDS = """\
exit codes: 0 done, at most warnings; 1 done, but the file has findings that are errors;
2 refused or failed: one line says why, nothing was written; 130 interrupted."""
