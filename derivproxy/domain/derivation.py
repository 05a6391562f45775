"""The derivation version: raised with any change of pixels or bytes under the same name."""

DERIVATION_VERSION = 1
