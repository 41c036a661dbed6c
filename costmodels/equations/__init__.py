"""The equations of docs/cost-models.md: from the work of rows and a chip's numbers to energy, memory and time.

For the inside of costmodels.
"""
