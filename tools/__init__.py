"""Programs beside the package: for developers and for measurements."""
