# SPDX-License-Identifier: MIT
"""_reasons.py: why a connection was refused or a stream reset, and the exceptions that say so.

The numbers, words and sentences are those of vsockif.h (VSOCKIF_REASONS); tests/bindings compares them.  Needs no library: programs
of the host hear the same words on the daemon's sockets.
"""
from __future__ import annotations

import enum
import errno as _errno
import os
from typing import Optional


_WORDS = [
    ("unspecified", "no reason was given"),
    ("nobody", "nobody listens at that port"),
    ("backlog", "a program listens at that port, and its backlog is full"),
    ("policy", "the policy of the host forbids it"),
    ("unknown", "no guest has that CID"),
    ("absent", "the guest is there, but no program in it has its device open"),
    ("rate", "these are more connections a second than the host allows"),
    ("limit", "there are as many connections as an end may have at a time"),
    ("short", "memory or descriptors are short at the other end"),
    ("timeout", "the other end has not answered in time"),
    ("unusable", "what is at that port cannot be connected to; the log says why"),
    ("aborted", "the program at the other end cut it off, or was killed"),
    ("unread", "the program at the other end closed it without reading everything"),
    ("gone", "the guest at the other end is gone"),
    ("left", "the program at the other end has given up its device"),
    ("detached", "the device at the other end was taken away"),
    ("stopped", "the daemon of the host stops"),
    ("violation", "the other end broke a rule of the protocol"),
    ("status", "the command at the other end has failed: its exit status"),
    ("signal", "the command at the other end was killed: by signal number"),
    ("type", "who listens at that port does so for the other type, stream or seqpacket"),
    ("streams", "the other end has streams alone, and no seqpacket"),
    ("size", "a message was larger than the buffer of who receives it"),
]


class Reason(enum.IntEnum):
    """Why.  The numbers never change; one that this version does not know is NONE."""

    NONE = 0
    NOBODY = 1
    BACKLOG = 2
    POLICY = 3
    UNKNOWN = 4
    ABSENT = 5
    RATE = 6
    LIMIT = 7
    SHORT = 8
    TIMEOUT = 9
    UNUSABLE = 10
    ABORTED = 11
    UNREAD = 12
    GONE = 13
    LEFT = 14
    DETACHED = 15
    STOPPED = 16
    VIOLATION = 17
    STATUS = 18
    SIGNAL = 19
    TYPE = 20
    STREAMS = 21
    SIZE = 22

    @property
    def word(self) -> str:
        """As the daemon says it."""
        return _WORDS[self][0]

    @property
    def text(self) -> str:
        """As a sentence."""
        return _WORDS[self][1]

    @property
    def has_detail(self) -> bool:
        """Whether a number belongs to it: the exit status, or the signal."""
        return self in (Reason.STATUS, Reason.SIGNAL)

    @classmethod
    def _missing_(cls, value: object) -> Optional["Reason"]:
        return cls.NONE if isinstance(value, int) else None


def sentence(reason: Reason, detail: int = 0) -> str:
    """The reason for a person, with its number where one belongs to it."""
    return f"{reason.text} {detail}" if reason.has_detail else reason.text


def parse(words: str) -> "tuple[Reason, int]":
    """What the daemon says in words: "nobody", "status 3".  What it does not know is (NONE, 0)."""
    word, _, number = words.partition(" ")
    for reason in Reason:
        if reason.word == word and reason.has_detail == bool(number):
            if not number:
                return reason, 0
            if number.isascii() and number.isdigit() and 0 < int(number) < 256:
                return reason, int(number)
    return Reason.NONE, 0


# What only the host can know: no program may say it (xvs_stream(3)).
_HOSTS = {Reason.POLICY, Reason.UNKNOWN, Reason.ABSENT, Reason.RATE, Reason.GONE, Reason.LEFT, Reason.DETACHED, Reason.STOPPED, Reason.VIOLATION,
          Reason.STREAMS}


def may_be_said(reason: Reason, detail: int) -> bool:
    """Whether a program can reset a stream with it."""
    if reason.has_detail:
        return 0 < detail < (128 if reason == Reason.SIGNAL else 256)
    return reason not in _HOSTS and detail == 0


class RefusedError(ConnectionRefusedError):
    """The other end, or the host, did not take the connection; `reason` says why, as far as anybody has said."""

    reason: Reason = Reason.NONE
    detail: int = 0


class ResetError(ConnectionResetError):
    """The stream was cut off; `reason` says why, and `detail` is the exit status or the signal of STATUS and SIGNAL."""

    reason: Reason = Reason.NONE
    detail: int = 0


def failure(number: int, what: str, reason: Reason = Reason.NONE, detail: int = 0) -> OSError:
    """The exception for an errno (positive): the subclass of OSError that Python has for it, or one of the two above."""
    if number == _errno.ECONNREFUSED:
        refused = RefusedError(number, f"{what}: {sentence(reason, detail) if reason else 'refused, ' + reason.text}")
        refused.reason, refused.detail = reason, detail
        return refused
    if number == _errno.ECONNRESET:
        reset = ResetError(number, f"{what}: {sentence(reason, detail) if reason else os.strerror(number)}")
        reset.reason, reset.detail = reason, detail
        return reset
    return OSError(number, f"{what}: {os.strerror(number)}")
