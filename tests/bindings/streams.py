# SPDX-License-Identifier: MIT
"""streams.py: what a stream does that goes to peer.py, whichever end calls: a mixin for the blocking calls, and one for asyncio's.

A test that has them gives connect(port), or open_connection(port).
"""
import asyncio
import errno
import os
import signal
import socket
import threading

import peer
import xvs

DATA = os.urandom(peer.MANY)


class Blocking:
    def connect(self, port, timeout=60):
        raise NotImplementedError

    def test_bytes_go_there_and_back_and_each_end_has_its_own_end(self):
        with self.connect(peer.ECHO) as stream:
            stream.settimeout(60)
            stream.sendall(b"hello")
            self.assertEqual(stream.recv(100), b"hello")
            stream.sendall(memoryview(b"more"))
            stream.shutdown(socket.SHUT_WR)
            with stream.makefile("rb") as file:
                self.assertEqual(file.read(), b"morebye\n")
            self.assertEqual(stream.recv(1), b"")

    def test_the_peer_may_end_its_direction_first(self):
        with self.connect(peer.EARLY) as stream:
            stream.settimeout(60)
            self.assertEqual(stream.makefile().read(), "early\n")
            stream.sendall(b"late\n")
            stream.shutdown(socket.SHUT_WR)

    def test_a_mebibyte_each_way_where_the_peer_writes_all_before_it_reads(self):
        with self.connect(peer.BIG) as stream:
            stream.settimeout(60)
            self.assertEqual(stream.makefile("rb").read(), b"x" * peer.MANY)
            stream.sendall(bytearray(DATA))
            stream.shutdown(socket.SHUT_WR)
            self.assertEqual(stream.recv(1), b"")
        with self.connect(peer.COUNT) as stream:
            stream.settimeout(60)
            stream.sendall(DATA)
            stream.shutdown(socket.SHUT_WR)
            self.assertEqual(stream.makefile().read(), f"{peer.MANY}\n")

    def test_a_file_reads_lines_and_writes(self):
        with self.connect(peer.GREET) as stream, stream.makefile("rw", encoding="utf-8") as file:
            stream.settimeout(60)
            file.write("wörld\n")
            file.flush()
            self.assertEqual(file.readline(), "hello wörld\n")

    def test_into_a_buffer_of_ones_own(self):
        with self.connect(peer.FIRST) as stream:
            stream.settimeout(60)
            buffer, got = bytearray(20), 0
            while n := stream.recv_into(memoryview(buffer)[got:]):
                got += n
            self.assertEqual(bytes(buffer[:got]), b"first\n")

    def test_a_refusal_says_why(self):
        with self.assertRaises(ConnectionRefusedError) as caught:
            self.connect(7777)
        self.assertIs(caught.exception.reason, xvs.Reason.NOBODY)
        self.assertIn("7777", str(caught.exception))
        self.assertIn("nobody listens", str(caught.exception))

    def test_a_reset_by_the_peer_is_no_end_and_says_why(self):
        with self.connect(peer.RESET) as stream:
            stream.settimeout(60)
            with stream.makefile("rb", buffering=0) as file:
                self.assertEqual(file.read(4), b"half")
            stream.sendall(b"x")
            with self.assertRaises(ConnectionResetError) as caught:
                stream.recv(1)
            self.assertIs(caught.exception.reason, xvs.Reason.ABORTED)

    def test_a_command_that_failed_has_its_status_in_the_error(self):
        with self.connect(peer.STATUS) as stream:
            stream.settimeout(60)
            stream.sendall(b"x")
            with self.assertRaises(xvs.ResetError) as caught:
                stream.recv(1)
            self.assertEqual((caught.exception.reason, caught.exception.detail), (xvs.Reason.STATUS, 3))

    def tally(self):
        """What the peer says of a stream to TALLY that has ended."""
        with self.connect(peer.TOLD) as stream:
            stream.settimeout(60)
            return stream.makefile().read()

    def test_a_with_statement_that_is_left_by_an_exception_is_no_end_to_the_peer(self):
        with self.connect(peer.TALLY) as stream:
            stream.sendall(b"whole")
        self.assertEqual(self.tally(), "5")
        with self.assertRaises(KeyError), self.connect(peer.TALLY) as stream:
            stream.sendall(b"half")
            raise KeyError
        self.assertEqual(self.tally(), "it was reset")
        stream = self.connect(peer.TALLY)
        with self.assertRaises(ValueError):
            stream.reset(xvs.Reason.GONE)
        with self.assertRaises(ValueError):
            stream.reset(xvs.Reason.STATUS)
        stream.reset(xvs.Reason.STATUS, 3)
        self.assertEqual(self.tally(), "it was reset")

    def test_a_time_limit_ends_a_wait_and_not_the_stream(self):
        with self.connect(peer.ECHO) as stream:
            stream.settimeout(0.05)
            with self.assertRaises(TimeoutError):
                stream.recv(1)
            stream.setblocking(False)
            with self.assertRaises(BlockingIOError):
                stream.recv(1)
            stream.settimeout(60)
            stream.sendall(b"still")
            self.assertEqual(stream.recv(100), b"still")
            stream.shutdown(socket.SHUT_WR)
            stream.makefile().read()

    def test_a_peer_that_does_not_read_stops_a_writer(self):
        with self.connect(peer.IGNORE) as stream:
            stream.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                while True:
                    stream.sendall(DATA)
            stream.reset()

    def test_what_is_closed_is_of_no_use(self):
        stream = self.connect(peer.WAIT)
        stream.close()
        stream.close()
        stream.reset()
        for call in (lambda: stream.recv(1), lambda: stream.sendall(b"x"), lambda: stream.shutdown(socket.SHUT_WR)):
            with self.assertRaises(OSError) as caught:
                call()
            self.assertEqual(caught.exception.errno, errno.EBADF)
        self.assertIn("closed", repr(stream))

    def test_other_threads_run_while_a_call_waits_and_a_signals_handler_ends_it(self):
        class Enough(Exception):
            pass

        def handler(number, frame):
            raise Enough

        def interrupt(main):
            """By another thread, which runs only if the wait lets it; again and again, for the first may come too early."""
            while not over.wait(0.02):
                signal.pthread_kill(main, signal.SIGUSR1)

        over = threading.Event()
        thread = threading.Thread(target=interrupt, args=(threading.get_ident(),))
        with self.connect(peer.ECHO) as stream:
            stream.settimeout(60)
            before = signal.signal(signal.SIGUSR1, handler)
            try:
                thread.start()
                stream.recv(1)
                self.fail("it has received something")
            except Enough:
                signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            over.set()
            thread.join()
            signal.signal(signal.SIGUSR1, before)
            stream.sendall(b"x")
            self.assertEqual(stream.recv(1), b"x")
            stream.shutdown(socket.SHUT_WR)
            stream.makefile().read()


class Async:
    """asyncio.run() around each."""

    async def open_connection(self, port):
        raise NotImplementedError

    def run_(self, main):
        asyncio.run(asyncio.wait_for(main(), 90))

    def test_bytes_go_there_and_back_and_each_end_has_its_own_end(self):
        async def main():
            reader, writer = await self.open_connection(peer.ECHO)
            writer.write(b"hello")
            self.assertEqual(await reader.readexactly(5), b"hello")
            writer.write_eof()
            self.assertEqual(await reader.read(), b"bye\n")
            writer.close()
            await writer.wait_closed()
        self.run_(main)

    def test_the_peer_may_end_its_direction_first(self):
        async def main():
            reader, writer = await self.open_connection(peer.EARLY)
            self.assertEqual(await reader.read(), b"early\n")
            writer.write(b"late\n")
            writer.write_eof()
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        self.run_(main)

    def test_a_mebibyte_both_ways_at_once(self):
        async def main():
            reader, writer = await self.open_connection(peer.ECHO)

            async def write():
                for at in range(0, len(DATA), 40000):
                    writer.write(DATA[at:at + 40000])
                    await writer.drain()
                writer.write_eof()
            task = asyncio.create_task(write())
            self.assertEqual(await reader.read(), DATA + b"bye\n")
            await task
            writer.close()
            await writer.wait_closed()
        self.run_(main)

    def test_a_refusal_says_why(self):
        async def main():
            with self.assertRaises(ConnectionRefusedError) as caught:
                await self.open_connection(7777)
            self.assertIs(caught.exception.reason, xvs.Reason.NOBODY)
        self.run_(main)

    def test_a_reset_by_the_peer_is_no_end_and_says_why(self):
        async def main():
            for port, reason, detail in (peer.RESET, xvs.Reason.ABORTED, 0), (peer.STATUS, xvs.Reason.STATUS, 3):
                reader, writer = await self.open_connection(port)
                writer.write(b"x")
                with self.assertRaises(ConnectionResetError) as caught:
                    while await reader.read(100):
                        pass
                self.assertEqual((caught.exception.reason, caught.exception.detail), (reason, detail))
                writer.close()
                with self.assertRaises(ConnectionResetError):
                    await writer.wait_closed()
        self.run_(main)

    def test_a_reset_of_ones_own_is_no_end_to_the_peer(self):
        async def main():
            for ends in "5", "it was reset":
                reader, writer = await self.open_connection(peer.TALLY)
                writer.write(b"whole")
                if ends == "5":
                    writer.close()
                else:
                    with self.assertRaises(ValueError):
                        await xvs.aio.reset(writer, xvs.Reason.POLICY)
                    await xvs.aio.reset(writer, xvs.Reason.SIGNAL, 9)
                    await xvs.aio.reset(writer)
                reader, writer = await self.open_connection(peer.TOLD)
                self.assertEqual((await reader.read()).decode(), ends)
                writer.close()
        self.run_(main)

    def test_a_writer_waits_for_a_peer_that_does_not_read(self):
        async def main():
            reader, writer = await self.open_connection(peer.IGNORE)

            async def write():
                while True:
                    writer.write(DATA)
                    await writer.drain()
            with self.assertRaises((TimeoutError, asyncio.TimeoutError)):
                await asyncio.wait_for(write(), 0.3)
            # What was drained in vain is bounded: the last piece, and the mark.
            self.assertLessEqual(writer.transport.get_write_buffer_size(), len(DATA) + 65536)
            writer.transport.abort()
        self.run_(main)

    def test_a_task_that_is_cancelled_in_the_middle_leaves_the_others(self):
        async def main():
            reader, writer = await self.open_connection(peer.ECHO)
            other, other_writer = await self.open_connection(peer.ECHO)
            task = asyncio.create_task(reader.readexactly(10))
            writer.write(b"five!")
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            other_writer.write(b"other")
            self.assertEqual(await other.readexactly(5), b"other")
            writer.write(b" more")
            self.assertEqual(await reader.readexactly(10), b"five! more")
            for one in writer, other_writer:
                one.write_eof()
            self.assertEqual((await reader.read(), await other.read()), (b"bye\n", b"bye\n"))
            writer.close()
            other_writer.close()
        self.run_(main)

    def test_connecting_can_be_cancelled(self):
        async def main():
            for turns in range(12):
                task = asyncio.create_task(self.open_connection(peer.WAIT))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    _, writer = await task
                    writer.close()
                except asyncio.CancelledError:
                    pass
            _, writer = await self.open_connection(peer.WAIT)
            writer.close()
        self.run_(main)

    def test_a_hundred_streams_at_once(self):
        async def one(i):
            reader, writer = await self.open_connection(peer.GREET)
            writer.write(b"%d\n" % i)
            self.assertEqual(await reader.read(), b"hello %d\n" % i)
            writer.close()
            await writer.wait_closed()

        async def main():
            await asyncio.gather(*(one(i) for i in range(100)))
        self.run_(main)
