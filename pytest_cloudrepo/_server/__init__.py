"""One index server per pytest session. Only this folder uses pytest-xprocess.

`process.py` starts the server through pytest-xprocess; `run_folder.py` reads the files in which
pytest-xprocess stores the server's process id and output.
"""
