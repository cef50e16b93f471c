"""The command line: reads flags, makes one call, prints. Data to stdout, talk to stderr."""
