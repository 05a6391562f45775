"""Reading the headers of images without a decoder: what a file claims, before anything believes it.

Each format has one file with one function ``read(data, limits) -> Header``. It walks structure alone, in time bounded
by the limits, and refuses what claims too much or breaks off.
"""
