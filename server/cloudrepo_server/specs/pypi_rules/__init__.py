"""The rules by which PyPI accepts or rejects an upload.

Each module has the rules of one subject, and the function that checks them. A check is a generator
of findings in PyPI's order: an upload is rejected for the first one, and `cloudrepo-server check`
reports all of them. `table.py` lists all rules.
"""
