# SPDX-License-Identifier: MIT
"""test_guest.py: in a guest: streams of a device to peer.py, which is in dom0 or in another guest (PEER_CID), and within the guest."""
import asyncio
import errno
import gc
import os
import selectors
import socket
import threading
import time
import unittest
import warnings

import peer
import xvs
from streams import DATA, Async, Blocking

CID = int(os.environ["PEER_CID"])


class Guest(Blocking, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.device = xvs.Device()
        cls.device.wait_up(60)

    @classmethod
    def tearDownClass(cls):
        cls.device.close()

    def connect(self, port, timeout=60):
        return self.device.connect(CID, port, timeout)

    def local(self):
        """Both ends of a stream within the guest."""
        with self.device.listen(xvs.PORT_ANY) as listener:
            ours = self.device.connect(xvs.CID_LOCAL, listener.port, 60)
            theirs, caller = listener.accept()
            self.assertEqual(caller, ours.getsockname())
            return ours, theirs

    def quiet(self):
        """Until no stream is there any more, those of other tests among them, which end in the background."""
        end = time.monotonic() + 60
        while self.device.stats().streams:
            self.assertLess(time.monotonic(), end, self.device.dump())
            with self.assertRaises(TimeoutError), self.device.listen(xvs.PORT_ANY) as listener:
                listener.settimeout(0.01)
                listener.accept()

    def test_all_was_taken_is_known_in_the_end(self):
        with self.connect(peer.COUNT) as stream:
            stream.settimeout(60)
            stream.sendall(DATA)
            stream.shutdown(socket.SHUT_WR)
            self.assertEqual(stream.makefile().read(), f"{len(DATA)}\n")
            stream.wait_closed(60)
            self.assertIsNone(stream.error)

    def test_what_was_closed_in_order_arrives_though_the_device_is_closed_at_once(self):
        for fails in False, True:
            self.device.close()
            try:
                with xvs.Device() as device, device.connect(CID, peer.TALLY, 60) as stream:
                    for _ in range(4):
                        stream.sendall(DATA)
                    if fails:
                        raise KeyError
            except KeyError:
                pass
            finally:
                self.assertTrue(stream.closed)
                type(self).device = xvs.Device()
            # Which is the other end's word; one that was left by an exception is no end.
            self.assertEqual(self.tally(), "it was reset" if fails else str(4 * len(DATA)))

    def test_a_device_has_one_owner_at_a_time(self):
        with self.assertRaises(OSError) as caught:
            xvs.Device()
        self.assertEqual(caught.exception.errno, errno.EBUSY)
        info = xvs.look()
        self.assertEqual((info.owner, info.is_up, info.cid), (os.getpid(), True, self.device.cid))

    def test_a_device_that_is_not_attached_is_waited_for_as_long_as_was_said(self):
        with xvs.Device(7) as device:
            with self.assertRaises(TimeoutError) as caught:
                device.connect(CID, peer.ECHO, 0.05)
            self.assertIn("not up", str(caught.exception))
            device.listen(5).close()

    def test_options_out_of_range_are_said(self):
        for options in {"buffer": -1}, {"spin": 2**32}, {"number": -1}:
            with self.assertRaises(ValueError):
                xvs.Device(**options)
        with self.assertRaises(OSError) as caught:
            xvs.Device(3, buffer=1)
        self.assertEqual(caught.exception.errno, errno.EINVAL)
        for cid, port in (-1, 1), (2, -1), (2, 2**32), (2**64, 1):
            with self.assertRaises(OverflowError):
                self.device.connect(cid, port, 5)
        with self.device.listen(xvs.PORT_ANY) as listener, self.assertRaises(ValueError):
            listener.settimeout(-1)

    def test_a_stream_within_the_guest_is_cut_off_with_a_reason(self):
        ours, theirs = self.local()
        with self.assertRaises(ValueError):
            theirs.reset(xvs.Reason.POLICY)
        theirs.reset(xvs.Reason.SIGNAL, 9)
        with self.assertRaises(xvs.ResetError) as caught:
            ours.settimeout(60)
            ours.recv(1)
        self.assertEqual((caught.exception.reason, caught.exception.detail), (xvs.Reason.SIGNAL, 9))
        ours.close()

    def test_a_with_statement_that_is_left_by_an_exception_resets(self):
        ours, theirs = self.local()
        with self.assertRaises(KeyError), ours:
            ours.sendall(b"half")
            raise KeyError
        theirs.settimeout(60)
        with self.assertRaises(xvs.ResetError):
            while theirs.recv(100):
                pass
        theirs.close()

    def test_messages_come_as_they_were_sent(self):
        with self.device.listen_messages(xvs.PORT_ANY) as listener:
            ours = self.device.connect_messages(xvs.CID_LOCAL, listener.port, 60)
            theirs, _ = listener.accept()
            with self.assertRaises(ConnectionRefusedError) as caught:
                self.device.connect(xvs.CID_LOCAL, listener.port, 60)
            self.assertIs(caught.exception.reason, xvs.Reason.TYPE)
        with ours, theirs:
            theirs.settimeout(60)
            for message in b"one", b"two and more", DATA[:300000]:
                ours.send(message)
            ours.send(bytearray(b"end of record"), eor=True)
            self.assertEqual(theirs.recv(), b"one")
            self.assertEqual(theirs.recv(3), b"two")
            self.assertEqual(theirs.recv(), DATA[:300000])
            self.assertFalse(theirs.had_eor)
            self.assertEqual(theirs.recv(), b"end of record")
            self.assertTrue(theirs.had_eor)
            theirs.settimeout(0.02)
            with self.assertRaises(TimeoutError):
                theirs.recv()
            with self.assertRaises(OSError) as caught:
                ours.send(bytes(ours.message_max + 1))
            self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
            with self.assertRaises(ValueError):
                ours.send(b"")
            with self.assertRaises(OSError):
                ours.makefile()
            # One that does not fit now waits for room.
            ours.settimeout(0.02)
            with self.assertRaises(TimeoutError):
                while True:
                    ours.send(bytes(100000))
            ours.shutdown(socket.SHUT_WR)
            while theirs.recv():
                pass
        # Who listens for streams takes none, and a daemon need not know of them at all.
        with self.assertRaises(OSError) as caught:
            self.device.connect_messages(CID, peer.ECHO, 60)
        self.assertIn(caught.exception.errno, (errno.ECONNREFUSED, errno.ESOCKTNOSUPPORT))

    def test_accepting_has_a_time_limit_and_a_port_one_listener(self):
        with self.device.listen(5000) as listener:
            listener.settimeout(0.02)
            with self.assertRaises(TimeoutError):
                listener.accept()
            listener.setblocking(False)
            with self.assertRaises(BlockingIOError):
                listener.accept()
            with self.assertRaises(OSError) as caught:
                self.device.listen(5000)
            self.assertEqual(caught.exception.errno, errno.EADDRINUSE)
        with self.assertRaises(OSError) as caught:
            listener.accept()
        self.assertEqual(caught.exception.errno, errno.EBADF)

    def test_a_second_thread_is_told_that_a_device_belongs_to_one_at_a_time(self):
        ours, theirs = self.local()
        refused = threading.Event()

        def wait():
            ours.settimeout(0.05)
            while not refused.is_set():
                try:
                    ours.recv(1)
                except TimeoutError:
                    pass
                except RuntimeError:
                    pass            # it was the other one's turn

        thread = threading.Thread(target=wait)
        thread.start()
        while not refused.is_set():
            self.assertIn("xvs.Stream", repr(theirs))
            try:
                theirs.readable
            except RuntimeError as why:
                self.assertIn("one thread at a time", str(why))
                refused.set()
        thread.join()
        # It is this thread's now.
        theirs.sendall(b"x")
        self.assertEqual(ours.recv(1), b"x")
        ours.close()
        theirs.close()

    def test_a_stream_that_nobody_has_any_more_is_closed_with_a_warning(self):
        self.quiet()
        ours, theirs = self.local()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del ours
            gc.collect()
        self.assertEqual([w.category for w in caught], [ResourceWarning])
        theirs.settimeout(60)
        self.assertEqual(theirs.recv(1), b"")
        theirs.close()
        self.quiet()

    def test_a_stream_is_nothing_once_its_device_is_closed(self):
        with xvs.Device(9) as device:
            listener = device.listen(5)
        for call in (listener.accept, lambda: device.cid, lambda: device.connect(2, 1), device.fileno, device.process):
            with self.assertRaises(OSError) as caught:
                call()
            self.assertEqual(caught.exception.errno, errno.EBADF)
        device.close()
        listener.close()
        self.assertEqual(repr(device), "<xvs.Device closed>")

    def test_lines_about_the_device_are_logged_outside_of_the_library(self):
        lines = []

        def log(line):
            lines.append(line)
            device.dump()               # no call of the library is on its way
        self.device.close()
        try:
            device = xvs.Device(log=log)
            device.wait_up(60)
            device.close()
            self.assertTrue(lines)
        finally:
            type(self).device = xvs.Device()
            self.device.wait_up(60)

    def test_what_is_of_a_closed_stream_is_not_its_successors(self):
        """Which the library may well give the same memory."""
        with self.device.listen(5002) as listener:
            for _ in range(50):
                self.quiet()
                first, second = (self.device.connect(xvs.CID_LOCAL, 5002, 60) for _ in range(2))
                ends = [listener.accept()[0] for _ in range(2)]
                for end in ends:
                    end.sendall(b"x")
                other = successor = None
                told = []
                for event in self.device.events():
                    if event.stream is successor is not None:
                        told.append(event.what)
                    elif event.stream in (first, second) and not successor:
                        other = second if event.stream is first else first
                        other.reset()
                        successor = self.device._begin(xvs.CID_LOCAL, 5002)
                self.assertEqual(told, [xvs.What.OPEN])
                other.close()           # once more, which is nothing
                third, _ = listener.accept()
                third.sendall(b"y")
                self.assertEqual([e.what for e in self.device.events() if e.stream is successor], [xvs.What.IN])
                same = successor._key == other._key
                for one in (first, second, successor, third, *ends):
                    one.reset()
                if same:
                    return
        self.skipTest("the library has not used the memory of a stream again")

    def test_a_loop_of_ones_own_has_one_descriptor_and_events(self):
        with self.device.listen(5001) as listener, selectors.DefaultSelector() as selector:
            selector.register(self.device.fileno(), selectors.EVENT_READ)
            listener.setblocking(False)
            ours, got = None, b""
            theirs = self.device._begin(xvs.CID_LOCAL, 5001)
            theirs.setblocking(False)
            while not got.endswith(b"!"):
                for event in self.device.events():
                    if event.listener is listener and event.what & xvs.What.ACCEPT:
                        ours, _ = listener.accept()
                        ours.setblocking(False)
                    elif event.stream is theirs and event.what & xvs.What.OPEN:
                        theirs.sendall(b"hi!")
                    if ours:
                        try:
                            got += ours.recv(10)
                        except BlockingIOError:
                            pass
                if not got:
                    selector.select(60)
                    self.device.process()
            ours.close()
            theirs.close()

    def test_what_is_to_be_seen_is_seen(self):
        with self.connect(peer.WAIT) as stream:
            self.assertEqual(stream.getpeername(), (CID, peer.WAIT))
            self.assertEqual(stream.getsockname().cid, self.device.cid)
            self.assertIn(f"peer={CID}:{peer.WAIT}", repr(stream))
            self.assertGreater(stream.writable, 0)
            stream.set_buffer(4096)
            with self.assertRaises(OSError):
                stream.set_buffer(1)
            self.assertIn(str(peer.WAIT), self.device.dump())
            self.assertGreaterEqual(self.device.stats().streams, 1)
        self.assertTrue(self.device.is_up)
        self.assertIsInstance(self.device.reason, str)

    def test_a_child_has_nothing_of_the_device(self):
        child = os.fork()
        if not child:
            status = 1
            try:
                self.device.wait_up(1)
                self.device.process()
            except OSError as why:
                status = 0 if why.errno == errno.ESTALE else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        with self.connect(peer.GREET) as stream:
            stream.sendall(b"parent\n")
            self.assertEqual(stream.makefile().read(), "hello parent\n")


class GuestAsync(Async, unittest.TestCase):
    def run_(self, main):
        async def within():
            async with xvs.aio.Device() as self.device:
                await main()
                # What was closed is gone; nothing was left behind by a cancelled task.
                while self.device.core.stats().streams:
                    await asyncio.sleep(0.01)
        super().run_(within)

    async def open_connection(self, port):
        return await self.device.open_connection(CID, port)

    def test_a_server_of_a_guest_serves_itself_and_is_closed(self):
        async def greet(reader, writer):
            writer.write(b"hello " + await reader.readline())
            writer.close()

        async def main():
            async with await self.device.start_server(greet, xvs.PORT_ANY) as server:
                self.assertTrue(server.is_serving())
                for i in range(10):
                    reader, writer = await self.device.open_connection(xvs.CID_LOCAL, server.port)
                    writer.write(b"%d\n" % i)
                    self.assertEqual(await reader.read(), b"hello %d\n" % i)
                    writer.close()
            self.assertFalse(server.is_serving())
            with self.assertRaises(ConnectionRefusedError):
                await self.device.open_connection(xvs.CID_LOCAL, server.port)
        self.run_(main)

    def test_the_end_of_all_says_whether_it_was_taken(self):
        async def main():
            reader, writer = await self.open_connection(peer.COUNT)
            writer.write(DATA)
            writer.write_eof()
            self.assertEqual(await reader.read(), b"%d\n" % len(DATA))
            await writer.wait_closed()
        self.run_(main)

    def test_a_device_that_is_closed_ends_what_is_open(self):
        async def main():
            async with xvs.aio.Device(9) as other:
                waiting = asyncio.create_task(other.wait_up())
                await asyncio.sleep(0)
            with self.assertRaises(OSError):
                await waiting
            reader, writer = await self.open_connection(peer.WAIT)
            task = asyncio.create_task(reader.read())
            await asyncio.sleep(0)
            await self.device.close()
            with self.assertRaises(ConnectionResetError):
                await task
            with self.assertRaises(ConnectionResetError):
                await writer.wait_closed()

        async def within():
            async with xvs.aio.Device() as self.device:
                await main()
        asyncio.run(asyncio.wait_for(within(), 90))

    def test_a_protocol_may_have_a_buffer_of_its_own(self):
        class Buffered(asyncio.BufferedProtocol):
            def __init__(self):
                self.buffer, self.got = bytearray(1000), b""
                self.lost = asyncio.get_running_loop().create_future()

            def get_buffer(self, sizehint):
                return self.buffer

            def buffer_updated(self, nbytes):
                self.got += self.buffer[:nbytes]

            def connection_lost(self, exc):
                self.lost.set_result(exc)

        async def main():
            _, protocol = await self.device.create_connection(Buffered, CID, peer.BIG)
            self.assertIsNone(await protocol.lost)
            self.assertEqual(protocol.got, b"x" * peer.MANY)
        self.run_(main)

    def test_a_protocol_that_fails_ends_its_connection_alone(self):
        class Bad(asyncio.Protocol):
            def connection_lost(self, exc):
                lost.set_result(exc)

            def data_received(self, data):
                raise KeyError("bad")

        async def main():
            nonlocal lost
            lost = asyncio.get_running_loop().create_future()
            said = []
            asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["exception"]))
            await self.device.create_connection(Bad, CID, peer.FIRST)
            self.assertIsInstance(await lost, KeyError)
            self.assertIsInstance(said[0], KeyError)
            reader, writer = await self.open_connection(peer.FIRST)
            self.assertEqual(await reader.read(), b"first\n")
            writer.close()
        lost = None
        self.run_(main)


