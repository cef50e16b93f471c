"""Pull: what upstream has and the mirror lacks, found with few requests and saved page by page."""
