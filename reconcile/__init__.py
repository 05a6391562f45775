"""The job that keeps store and database in step. Knows metadata and stores, never web or libvips."""
