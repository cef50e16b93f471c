"""Bytes of files, kept once by what they hold, and put where somebody wants them."""
