"""What strategies share: the history of a study, their options, and samplers to derive from.

From outside: `sampler` and `scripted` for new strategies, `history` for what a study measured, `seeding` for trials.
"""
