"""An on-demand image derivation proxy."""

__version__ = "0.1.0"
