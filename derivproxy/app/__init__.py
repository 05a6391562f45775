"""The composition root: DATA, sockets, processes, and who is introduced to whom."""
