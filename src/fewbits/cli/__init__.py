"""The command line: parses, calls the public API, prints."""
