"""What is made of results: angles, marker and motion files, tables, plots, and reading them back.

``docs/results.md`` has the definitions and the forms of the files.
"""
