"""What is searched: designs, the space of their widths, side constraints, and what is known before measuring."""
