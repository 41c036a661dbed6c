"""One command per file; the file name is the command's name, `EXAMPLE` stands under its help."""
