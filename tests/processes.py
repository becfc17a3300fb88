"""Processes of their own for works of tests: forks of one that has imported the crosswalk, and nothing else of ours.

They take over no connection, thread or lock of the test, and need not import what takes longer than their work.
"""

import multiprocessing

FRESH = multiprocessing.get_context("forkserver")
# Read once, when the first process is started; what can be imported by its name alone.
FRESH.set_forkserver_preload(["dicomanon.crosswalk.database", "dicomanon.pipeline.runtime", "pytest"])
