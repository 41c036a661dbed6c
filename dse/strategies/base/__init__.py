"""What strategies share: the history of a study, their options, and samplers to derive from."""
