"""What the machine refuses is told in one sentence; a mistake of ours or of the user stays what it is."""

import errno

import pytest
import torch
from safetensors import SafetensorError

from vae import failures

DISK, RIGHT, MEMORY = "The disk is full", "It is not allowed to write", "Memory ran out"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x/log.txt"), f"{DISK}: x/log.txt could not be written."),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), f"{DISK}: a file of the run could not be written."),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), DISK),
        (SafetensorError("I/O error: There is not enough space on the disk. (os error 112)"), DISK),
        (PermissionError(errno.EACCES, "Permission denied", "x"), f"{RIGHT} x:"),
        (OSError(errno.EROFS, "Read-only file system", "x"), RIGHT),
        (SafetensorError("I/O error: Permission denied (os error 13)"), RIGHT),
        (MemoryError(), MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), MEMORY),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you"), MEMORY),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), MEMORY),
    ],
)
def test_a_refusal_is_a_sentence_with_a_way_out(error: BaseException, sentence: str) -> None:
    said = failures.refusal(error, "resume starts from the beginning.")
    assert isinstance(said, ValueError)
    assert str(said).startswith(sentence)
    assert str(said).endswith("; resume starts from the beginning.")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "no space left.txt"),
        ValueError("The text says: no space left."),
        RuntimeError("shapes do not fit"),
        SafetensorError("invalid header (os error 280)"),
        KeyError("memory"),
        KeyboardInterrupt(),
    ],
)
def test_anything_else_is_left_alone(error: BaseException) -> None:
    assert failures.refusal(error, "") is None
