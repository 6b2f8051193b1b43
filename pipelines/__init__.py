"""The published systems, one readable module each, of sarcfeat's public names."""
