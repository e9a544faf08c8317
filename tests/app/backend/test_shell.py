"""Lines to be copied into a terminal: read by a shell, they are the words again."""

import os
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend import shell

WORDS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)


@given(st.lists(WORDS, min_size=1, max_size=5))
@pytest.mark.skipif(os.name == "nt", reason="Windows has other quotes.")
def test_a_shell_reads_the_words_again(words):
    assert shlex.split(shell.line(words)) == words


@pytest.mark.skipif(shutil.which("bash") is None, reason="There is no bash here.")
def test_bash_reads_the_words_again():
    words = [
        "a b",
        "don't",
        'say "no"',
        "$HOME `x` \\",
        "!!",
        "100 %",
        "~x",
        "a,b",
        "",
        "“so”",
        "(c) & d | e; #h",
        "-3:3:1",
    ]
    done = subprocess.run(["bash", "-c", f"printf '%s\\n' {shell.line(words)}"], capture_output=True, check=True)
    assert done.stdout.decode().split("\n")[:-1] == words


def test_usual_sentences_are_quoted_so_that_every_shell_takes_them():
    words = ["--from", "an old dog doesn't wait .", "--set=3=-0.5", "checkpoints/a-b", "x,y", ""]
    assert shell.line(words) == '''--from "an old dog doesn't wait ." --set=3=-0.5 checkpoints/a-b "x,y" ""'''


@given(WORDS)
def test_a_sentence_never_looks_like_an_option(text):
    assert not shell.value(text).startswith("-")
    assert shell.value(text).strip() == text.strip()
