// Package packaging reads what Python's packaging writes: versions (PEP 440),
// requirements (PEP 508), requirements files and pyproject.toml (PEP 621, 735). It
// is pure: it opens no file but through the [Files] it is handed, starts nothing,
// and knows no environment.
package packaging
