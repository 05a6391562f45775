"""The steps of a derivation, one file each, in the order of a name's options."""
