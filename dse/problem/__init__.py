"""What is searched: designs, the space of their widths, side constraints, and what is known before measuring.

From outside: all modules; `problem.Problem` is what a search knows before it measures anything.
"""
