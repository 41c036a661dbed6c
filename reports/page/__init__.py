"""The HTML page: its template, tables, cards and escaping."""
