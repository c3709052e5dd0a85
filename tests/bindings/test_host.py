# SPDX-License-Identifier: MIT
"""test_host.py: in dom0: streams over the daemon's sockets to peer.py in a guest."""
import asyncio
import os
import unittest

import peer
import xvs
from streams import Async, Blocking

GUEST = os.environ["PEER_GUEST"]
CID = int(os.environ["PEER_CID"])


class Host(Blocking, unittest.TestCase):
    def connect(self, port, timeout=60):
        return xvs.host.connect(GUEST, port, timeout)

    def test_a_guest_goes_by_its_cid_too(self):
        with xvs.host.connect(CID, peer.FIRST) as stream:
            self.assertEqual(stream.makefile().read(), "first\n")

    def test_a_guest_that_is_not_there_is_named(self):
        with self.assertRaises(FileNotFoundError) as caught:
            xvs.host.connect("nobody", 1)
        self.assertIn("nobody is not attached", str(caught.exception))

    def test_a_guest_whose_program_is_not_there_is_a_refusal_that_says_so(self):
        with self.assertRaises(xvs.RefusedError) as caught:
            xvs.host.connect(os.environ["IDLE_GUEST"], 1)
        self.assertIs(caught.exception.reason, xvs.Reason.ABSENT)


class HostAsync(Async, unittest.TestCase):
    async def open_connection(self, port):
        return await xvs.aio.host.open_connection(GUEST, port)

    def test_a_guest_that_is_not_there_is_named(self):
        with self.assertRaises(FileNotFoundError):
            asyncio.run(xvs.aio.host.open_connection("nobody", 1))
