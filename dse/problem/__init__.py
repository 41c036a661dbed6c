"""What is searched: designs, the space of their widths, side constraints, and what is known before measuring.

From outside: all modules; `problem.Problem` is what a search knows before it measures anything, `by_form.ByForm` the
mapping from the form of the network to its space, workload or engine.
"""
