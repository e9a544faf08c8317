"""What Python's garbage collector need not look at: the libraries, which stay as long as the server runs.

After every run of a script Streamlit has everything collected, and meanwhile no thread of the server goes on: the
answer itself waits, and so does every other session. With torch, transformers and scikit-learn there are half a million
objects, a fifth of a second's work, which is more than most gestures are. (docs/lab-log.md has the figures.)
"""

from __future__ import annotations

import gc
import sys
import threading

MANY = 100
"""Modules that must have been imported for it to be worth a round."""

_LOCK = threading.Lock()
_known = 0


def pass_over_libraries() -> None:
    """Put what there is now out of the collector's sight, if much has been imported since this was last done.

    What was out of sight and has become garbage since, as models do when others take their place, is collected then.
    """
    global _known  # noqa: PLW0603  # of the process, as the collector is
    with _LOCK:
        if len(sys.modules) < _known + MANY:
            return
        _known = len(sys.modules)
        gc.unfreeze()
        gc.collect()
        gc.freeze()
