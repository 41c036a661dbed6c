"""Figures as files and the PDF."""
