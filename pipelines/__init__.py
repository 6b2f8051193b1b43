"""The published systems, one readable module each, made only of sarcfeat's public names."""
