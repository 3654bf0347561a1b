"""Many files: named, shared out over processes and machines, and accounted for in a manifest.

``docs/batch.md`` says how it is used. Nothing here knows what is done with a file: that is an
``Opener``, which each worker calls once.
"""
