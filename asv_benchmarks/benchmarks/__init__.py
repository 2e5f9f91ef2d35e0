"""The asv suite: how fast the library is, beside the rivals that it replaces.

asv runs every combination of parameters in a process of its own and strips PYTHONPATH, so `synann`
is installed (editable). Libraries are imported when a benchmark needs them: importing all would
cost every process seconds and count as its memory.
"""
