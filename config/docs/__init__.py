"""The documentation in the browser: `documentation/` as pages below `/docs/`."""
