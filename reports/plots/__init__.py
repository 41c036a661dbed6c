"""Plots of the report: computed once as records, drawn with plotly or matplotlib."""
