"""The command line, `python -m vae`: every page of the app has its command.

A command returns an `Answer`, and nothing but that reaches standard output: in words, or with --json as one document.
Progress, notes and whatever a library prints go to standard error. An error is one line there, and exit status 2.

Nothing heavy is imported before a command needs it, so that `runs` and `--help` answer at once.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from vae import runs
from vae.cli.parser import build
from vae.cli.shared import Answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a sentence must not end it
    try:
        options = build().parse_args(arguments)
        with contextlib.redirect_stdout(sys.stderr):
            answer: Answer = options.command(options)
        if options.json and answer.document is not None:
            print(json.dumps(runs.finite(answer.document), indent=2, ensure_ascii=not _is_utf8(sys.stdout)), flush=True)
        if answer.words and not options.json:
            print(answer.words, flush=True)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read has seen enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ImportError, MemoryError) as error:
        return _refuse(error)
    except RuntimeError as error:  # torch has no better name for a lack of memory
        if "memory" not in str(error):
            raise
        return _refuse(error)
    return 0


def _is_utf8(stream: TextIO) -> bool:
    """Whether a document may have letters of all scripts: in other encodings those would not be JSON, escaped they are.

    Not even where they could be written: RFC 8259 has JSON in UTF-8, of which ASCII is a part and cp1252 is not.
    """
    return codecs.lookup(stream.encoding or "ascii").name == "utf-8"


def _refuse(error: Exception) -> int:
    """Say on one line what went wrong."""
    reason = str(error)
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror + (f": {error.filename}" if error.filename else "")
    print("error:", " ".join(reason.split()) or type(error).__name__, file=sys.stderr)
    return 2
