"""HTTP to strangers: bounded, guarded, errors named."""
