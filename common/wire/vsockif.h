/* SPDX-License-Identifier: MIT */
/* vsockif.h: the wire between a vsock frontend (in a guest) and its backend (in dom0).
 *
 * This file is the specification.  Where another text disagrees, this one is right.  It depends on
 * <stdint.h> alone, compiles as C and as C++, and may be copied into any other implementation.
 *
 *
 * 1. Trust
 * ========
 * Neither end trusts the other.  Everything read from a shared page, from xenstore or from a packet
 * may be hostile, and may change between two reads: an end copies a slot out whole, judges the copy,
 * and acts on the copy.  An index is read once into a local.  An end that finds a rule of this file
 * broken closes the device and says which rule; it does not clamp the value and go on.  The frontend
 * may be robbed of service by its backend, never of memory safety or of the content of pages that it
 * did not share.  The backend may lose nothing but the one device.
 *
 *
 * 2. Xenstore
 * ===========
 * Device type "vsock", devices numbered from 0 within a guest.  F is the frontend's domid, B the
 * backend's, N the device's number.  All numbers are decimal without sign or leading zeros.  The number
 * of nodes is constant: no connection and no packet ever touches xenstore.
 *
 *   /local/domain/F/device/vsock/N/          owner F, B may read
 *       backend                  toolstack   path of the backend's directory
 *       backend-id               toolstack   B
 *       state                    frontend    xenbus state, 1 to 6 (section 3)
 *       version                  frontend    the one it chose from the backend's "versions"
 *       features                 frontend    from version 2 on: those of the backend's that it knows
 *       control-ref              frontend    grant reference of the control page (section 4)
 *       event-channel            frontend    an unbound port, allocated for B
 *       multi-queue-num-queues   frontend    optional, default 1; see below
 *
 *   /local/domain/B/backend/vsock/F/N/       owner B, F may read
 *       frontend                 toolstack   path of the frontend's directory
 *       frontend-id              toolstack   F
 *       cid                      toolstack   the guest's context id, u64, 3 to 2^32 - 2; a backend may write another one
 *                                            together with state 2
 *       state                    backend     xenbus state, 1 to 6
 *       versions                 backend     comma-separated list, "1" or "1,2"
 *       features                 backend     from version 2 on: comma-separated list of words, "seqpacket", or empty
 *       max-ring-page-order      backend     0 to 4: each ring has at most 2^order pages
 *       max-pool-pages           backend     1 to 1000: most pages of each of the two pools
 *       multi-queue-max-queues   backend     1 or more; absent means 1
 *
 *   /local/domain/B/error/backend/vsock/F/N/
 *       error                    backend     why the device was closed, one line for a person
 *
 * With more than one queue, the frontend's control-ref and event-channel live in queue-0/, queue-1/, …
 * in place of the top level, and a connection belongs to the queue numbered (hash of its two ports)
 * modulo the number of queues, where the hash is (src_port ^ dst_port) * 2654435761 >> 16, as u32: the
 * xor makes it the same in both directions.  A frontend uses one queue unless it knows better.
 *
 * Version 2 is version 1 with features: what both ends name in "features" holds between them, and nothing else.  A word
 * that an end does not know is none of its features.  Each writes that node whenever it writes "versions" or "version", and reads the
 * other's only if the other has version 2, too: so the node that a newer end has left behind never speaks for an older one.
 *
 *       seqpacket       connections of type SEQPACKET (section 10)
 *
 * The pages of rings and pools are not in xenstore: the control page names them.
 *
 *
 * 3. States
 * =========
 * The states are xenbus's: 1 Initialising, 2 InitWait, 3 Initialised, 4 Connected, 5 Closing, 6 Closed.
 *
 *    frontend                                backend
 *    ----------------------------------------------------------------------------------------
 *    1 (toolstack creates both)              1
 *                                            sees 1: writes versions, limits, then 2
 *    sees 2: grants pages, allocates a
 *    port, writes its nodes and 3 in one
 *    transaction
 *                                            sees 3: reads the nodes in one transaction, maps,
 *                                            checks, binds, sets back_live, then 4
 *    sees 4: then 4
 *    ------------------------------------- orderly close ------------------------------------
 *    5
 *                                            sees 5: unmaps, unbinds, then 6
 *    sees 6: takes its pages back, then 6
 *    --------------------------- backend stops, or refuses the frontend ---------------------
 *                                            unmaps, unbinds, "error" if refused, then 5
 *    sees 5: connections end with a reset,
 *    listeners stay; takes pages back, 6
 *                                            sees 6: 6
 *    ------------------------------------- (re)connecting -----------------------------------
 *    1, at any time that it shares nothing
 *                                            sees 1: drops what it may still map, then 2
 *    -------------------------------------- a crash -----------------------------------------
 *    process dies: front_live becomes 0      sees it: unmaps, then 5; sees 1 later: then 2
 *    domain dies: @releaseDomain             unmaps, removes both directories if it made them
 *    sees back_live become 0: as for 5       process dies; its successor finds the device with a
 *                                            frontend in 3 or 4, writes 5 and goes on from there
 *
 * A backend goes to 2 only when it sees the frontend in 1, and a frontend goes to 3 only from 1 with the
 * backend in 2: so neither ever mistakes a stale state of the other for an answer.  Each checks the other's state in the
 * transaction that writes its own.
 *
 * A backend in 2 whose frontend is in 1 may write its nodes and 2 again, because its offer has changed: the guest was given
 * another cid.  So a frontend looks, in the transaction that writes its nodes and 3, whether the cid is still the one that it has
 * read.  If the frontend is in 3 by then, the backend answers with 5.
 *
 *
 * 4. The control page and what it names
 * =====================================
 * One page, granted writable (an unmap notification clears a byte in it).  The frontend fills it before it
 * writes state 3 and does not change it afterwards, but for front_live; the backend copies it out once.
 * It names four groups of pages, in this order in ref[]:
 *
 *      tx ring   granted writable    frontend to backend: packets; back: completions
 *      rx ring   granted writable    frontend to backend: empty buffers; back: packets
 *      tx pool   granted read-only   data of the packets in the tx ring
 *      rx pool   granted writable    data of the packets in the rx ring
 *
 * Each group is contiguous at both ends, in the order of its references.  All are mapped once at connect
 * and stay mapped until the device closes.  Pages are zeroed before they are granted, and hold nothing else.
 * A ring has 1, 2, 4, 8 or 16 pages.  The page's own version is 1, with either version of the protocol: it is that of its layout.
 *
 *
 * 5. A ring
 * =========
 * The layout is that of Xen's io/ring.h: a 64-byte header with two producer and two event indices, then
 * the slots.  Requests and responses share the slots: response k is written where a request was that the
 * backend has already consumed.  The frontend zeroes the page and sets both event indices to 1.
 *
 *      offset 0    req_prod    written by the frontend    requests published
 *             4    req_event   written by the backend     "notify me when req_prod passes this"
 *             8    rsp_prod    written by the backend     responses published
 *            12    rsp_event   written by the frontend    "notify me when rsp_prod passes this"
 *            16    48 bytes reserved, zero
 *            64    slots, 64 bytes each; their number is the largest power of two that fits
 *
 * Indices are free-running u32 and wrap; slot number = index & (slots - 1).  At all times
 *
 *      req_prod - rsp_prod <= slots         a request in flight owns its slot until it is answered
 *      rsp_prod  never passes what the backend has consumed of the requests
 *
 * A consumer that reads a producer index outside of these bounds closes the device.  An index never
 * goes back.
 *
 * Memory edges (their names are cited in the code and checked by a model):
 *
 *      DATA   writer: fill slots and pool, then store-release prod.
 *             reader: load-acquire prod, then read slots and pool.
 *      FREE   the response that returns a buffer is published (DATA) after the last access to the buffer;
 *             its owner reads it (DATA) before reusing the buffer.
 *      WAKE   writer: store prod, FULL BARRIER, load event; notify if
 *                 (u32)(new - event) < (u32)(new - old).
 *             reader, before sleeping: store event = cons + 1, FULL BARRIER, load prod again; sleep only if
 *             it is still cons.
 *             Without both barriers a wake-up is lost now and then, and both ends sleep for ever.
 *
 * Notification is one event channel for both rings and both directions.  A spurious one is legal.
 *
 *
 * 6. A slot
 * =========
 * 64 bytes, one cache line: the header of the packet and the descriptor of its data.
 *
 *   tx request     hdr, id, off, size: the packet.  size = hdr.len.  With size > 0 the data is the bytes
 *                  [off, off + size) of the tx pool, size <= 65536.
 *   tx response    id, status.  The buffer belongs to the frontend again.  Responses come in any order:
 *                  the backend may keep data whose reader is slow and answer later requests first.
 *   rx request     id, off, size: an empty buffer, the bytes [off, off + size) of the rx pool,
 *                  64 <= size <= 65536, multiple of 64, as is off.  Buffers in flight do not overlap.
 *   rx response    hdr, id, size, count: a packet.  The backend fills buffers in the order in which they were posted.
 *                  A packet fills count >= 1 buffers; every one but the last is filled whole; the
 *                  responses are adjacent and published together; count is set in the first and 0
 *                  in the others, whose hdr is ignored; size is the number of bytes in this buffer and the
 *                  sizes add up to hdr.len.  A packet without data takes one buffer and leaves it empty.
 *
 * reason and detail belong to an RST (section 7), and are 0 in any other packet and in a tx response.
 *
 * id is chosen by the frontend, below the number of slots of its ring, and names one request in flight.
 * An id that is in flight twice, or answered without being in flight, closes the device.
 * Why a packet may span several buffers: buffers of one page suit thousands of small messages, and 64 KiB
 * packets suit bulk; posted in ascending order they are contiguous, and bulk pays one slot a page.
 * Bits and fields marked reserved are written as 0 and ignored when read.
 *
 *
 * 7. A packet
 * ===========
 * The header is virtio_vsock_hdr (virtio 1.2, 5.10.6), 44 bytes, little-endian, packed.  The type is STREAM, or
 * where both ends have that feature SEQPACKET (section 10).  The source CID of a packet from a frontend is that device's; the
 * backend closes the device otherwise.  The destination of a packet to a frontend is its CID.
 * CID 1 is local to a guest, and nothing comes from it but an RST to that guest: a packet to it is answered as one to a CID that nobody
 * has, for a guest's kernel without a transport for its own programs lets any of them send one.  CID 2 is the host.
 *
 *   op               len      flags       legal for the sender when
 *   1 REQUEST        0        0           it has no connection with this pair of addresses
 *   2 RESPONSE       0        0           it received REQUEST and has not answered
 *   3 RST            0        0           always, but never in answer to an RST
 *   4 SHUTDOWN       0        1|2|3       established; bits of several packets add up, and none is taken back
 *   5 RW             1-65536  0 (STREAM)  established, has not sent SHUTDOWN with SEND, within credit
 *                             0|1|3 (SEQPACKET)
 *   6 CREDIT_UPDATE  0        0           established, or it waits for the answer to its REQUEST
 *   7 CREDIT_REQUEST 0        0           likewise
 *
 * A header outside of this table (another op, type, length, flag) closes the device.  So does RW beyond the
 * credit.  A packet that is well formed but for which no connection exists, or whose op does not fit
 * the state of the connection, is answered with RST (an RST is dropped), because the peer
 * may have sent it before it saw our own RST.  REQUEST for a pair of addresses that is in use gets RST
 * and ends the connection; but one that repeats a REQUEST that is not answered yet is the same question, of a program
 * that gave up waiting for the first.  While an end waits for the answer to its REQUEST it drops, without an answer, what is neither
 * RESPONSE nor RST nor REQUEST: that is the tail of an earlier connection of the same pair, and an RST would hit the new one.
 *
 * SHUTDOWN flags: RCV = 1, the sender will receive no more; SEND = 2, it will send no more.  Data sent
 * before SHUTDOWN is delivered before the end of the stream.  Data that the receiver has not consumed when it says RCV, or
 * that arrives after that, is dropped, and fwd_cnt stays where it was.  A connection is over in order when both flags of both
 * directions are set (either end having set RCV or the other SEND, for each direction) and nothing is left to deliver: to this
 * end, and, unless the peer said RCV, to the peer, whose fwd_cnt has come to all that was sent.  The end that sees it
 * sends RST and forgets the connection; its peer forgets it on RST.  An end that has consumed all and waits for the other's
 * fwd_cnt tells its own with CREDIT_UPDATE, if its last packet did not: so one of the two always sees it.  A close waits 8 s for
 * that and then sends RST.
 * So a sender knows whether what it sent has arrived: its connection is over in order, and the last fwd_cnt it was told, that
 * of the RST included (section 8), is all that it sent.
 *
 * An RST may say why: its slot has a reason, one of enum vsockif_reason, and for some of them a detail.  It is news for people, and no
 * rule of this file depends on it.  A sender that knows no reason, or none of the list, writes 0 (as those do that are older than the
 * field), and one that ends a connection in order writes 0 too.  A receiver takes a number that it does not know for 0, and the
 * detail of a reason that has none for 0: neither is an error, so the list may grow.  The peer may say what it likes.  A
 * backend takes those of the list that only it and its host can know (POLICY, UNKNOWN, ABSENT, RATE, STREAMS, and from GONE to VIOLATION) for 0 when
 * a frontend says them, and passes what is left on to the other end of the connection: so a guest can lie of its own program, and cannot
 * speak for the administrator.
 *
 *
 * 8. Credit
 * =========
 * Every packet of a connection carries buf_alloc, the sender's receive buffer in bytes, and fwd_cnt, the bytes that its
 * application has consumed since the connection began.  All are u32 that wrap.
 *
 *      in flight = tx_cnt - peer_fwd_cnt               (u32 arithmetic, then taken as a positive number)
 *      may send  = min(peer_buf_alloc, own cap) - in flight, as signed 64 bit; below 0 counts as 0
 *
 *      e.g. peer_buf_alloc 262144, tx_cnt 300000, peer_fwd_cnt 100000:  in flight 200000, may send 62144
 *      e.g. tx_cnt 5 (wrapped), peer_fwd_cnt 0xfffffffb:               in flight 10
 *      e.g. peer_buf_alloc shrinks to 4096 with 200000 in flight:       may send 0, not 4294771392
 *
 * A peer_fwd_cnt that would make "in flight" larger than before by wrapping (it passed tx_cnt, or went back) ends the
 * connection with RST.  It cannot close the device: Linux tells of bytes that a program reads from a connection that is over, when
 * another one may have the same pair of addresses, so two programs without any rights could bring it about.  A receiver that shrinks its buf_alloc still accepts what was granted before: it judges RW by
 *      rx_cnt + len <= the largest sum of fwd_cnt and buf_alloc that it ever sent.
 * The RST that ends a connection carries them, too; one that answers for no connection has 0 in both, and one with values that
 * cannot be is taken as if it had.
 * buf_alloc is a promise: the receiver takes that many bytes of this connection without ever making another
 * connection wait.  CREDIT_UPDATE is due when what the sender believes to be free is less than half of its window
 * and consuming has freed at least half of it more, so that bulk pays few of them.  The window is buf_alloc, or the sender's own
 * buf_alloc if that is less and not 0: Linux never has more than that in flight, and does not ask.  It is due at once in answer to
 * CREDIT_REQUEST, and, if there was no news to tell then, once more when half of what is in flight is consumed.  A sender
 * with a cap of its own below that window asks, because the peer cannot know that cap.  Who passes on what a third one has told, as the
 * host does between two guests, tells of it from a quarter of the window on, where that is used up: a program may wait for more than is
 * there (SO_RCVLOWAT), and Linux counts a packet when all of it is read, so that less than half can be all that comes.
 * (Who polls for more than three quarters of a buffer, of which less than a quarter was read, can wait for ever.  Less would be told too often.)
 *
 * How much a receiver promises is its own affair, within that promise, and may change from packet to packet: so one stream may have most
 * of a pool as long as it has it nearly alone, and less when others come.  Room that a frontend does not have in its tx pool makes its
 * other connections wait, whatever was promised to them.  It says so by the tx ring: it sets rsp_event (section 5) when it waits
 * for a tx response, for room in the pool or in the ring, and for nothing else; so a backend that is to notify it of one
 * knows that it has given too much to somebody.  A frontend that sets it at other times does no harm: it gets smaller windows.
 * And a backend promises none so much that less than VSOCKIF_MAX_PACKET bytes of the pool are left to others, which may yet come.
 *
 *
 * 9. Progress
 * ===========
 * An end goes on consuming packets while its own sending is blocked, and each connection has a bounded
 * reply (a set of flags, not a queue).  Replies without a connection (RST) are bounded by the backend: it
 * stops reading the tx ring of a guest that has VSOCKIF_MAX_RESETS of them outstanding; a frontend drops
 * them instead.  So neither waits for the other in a circle.
 * A frontend keeps the last VSOCKIF_CONTROL_SLOTS slots of its tx ring free of data packets: packets without data always pass.
 *
 *
 * 10. SEQPACKET
 * =============
 * A connection of this type carries messages, each of at least one byte.  In everything else it is one like the others: what is said
 * above holds for it, and its credit counts bytes.
 *
 * Where.  Between ends that both have the feature "seqpacket" (section 2); elsewhere a packet of that type closes the device, as
 * it does where nobody knows it.  An end that is asked for such a connection with a peer that lacks the feature refuses it: a library its
 * program, and a backend the guest that calls another, with the reason STREAMS.
 *
 * The type of a connection is that of its REQUEST, and stands in all its packets; an RST without a connection has the type of what it
 * answers.  Who listens at a port does so for one type: a REQUEST of the other gets RST with the reason TYPE.  A packet whose type
 * is not that of the connection of its pair is of another connection, which that pair had before: an RST is dropped; a REQUEST ends the
 * connection, which its peer has forgotten, and gets RST; anything else gets RST, or nothing while the REQUEST is not answered,
 * and the connection goes on.  Nothing of that closes the device, for two programs without any rights can bring it about.
 *
 * A message is the data of one or more RW, of which the last has the flag EOM = 1, and with it, if its program gave it, EOR = 2 (POSIX's
 * MSG_EOR; it is passed on and means nothing here).  EOM is the only boundary: whoever passes a message on may split its packets and
 * join them, but never puts bytes of two messages into one.  RW without data closes the device with this type, too: an empty message
 * would cost no credit, so nothing would bound how many a receiver has to keep.  (Linux sends none either.)
 *
 * A message may have as many bytes as the receiver's buf_alloc, as its sender knows it when it begins, or as the sender's own cap if that
 * is less; one that is larger is refused where it is sent, with EMSGSIZE.  For a receiver need not consume any of a message before it
 * has all of it.  For the same reason CREDIT_UPDATE is due, if what the sender believes to be free is less than half of its window,
 * as soon as anything has been consumed and all that is left is a part of a message.  And the buf_alloc of such a connection is never lowered.  A receiver that has as many bytes of one message as the
 * largest buf_alloc that it has told, and not its end, resets the connection with the reason SIZE.  (Not the device: where a
 * signal ends a send(), Linux sends the next message as if it were the rest of that one.)
 *
 * A program that takes a part of a message has consumed all of it: the rest is dropped.
 *
 * When a connection is reset within a message, or its sender says SHUTDOWN with SEND, the receiver drops what it has of it: its
 * program never sees any of that, and it counts as not consumed, so that its sender can tell.  Where SHUTDOWN did it, nothing is left to
 * deliver then.
 *
 * Whoever passes messages on, from one connection to another, may do so as their parts come, and tells no larger buf_alloc than the
 * receiver at the far end does.
 */
#ifndef VSOCKIF_H
#define VSOCKIF_H

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "vsockif.h: the wire is little-endian, and so are the hosts that Xen runs on"
#endif

#ifdef __cplusplus
#define VSOCKIF_ASSERT(cond) static_assert(cond, #cond)
#else
#define VSOCKIF_ASSERT(cond) _Static_assert(cond, #cond)
#endif
#define VSOCKIF_AT(type, member, offset) \
    VSOCKIF_ASSERT(__builtin_offsetof(struct type, member) == (offset))

#define VSOCKIF_VERSION             1u          /* that everybody has, and the control page's */
#define VSOCKIF_VERSION_FEATURES    2u          /* the first with features */
#define VSOCKIF_PAGE_SIZE           4096u
#define VSOCKIF_MAX_RING_PAGE_ORDER 4u
#define VSOCKIF_MAX_POOL_PAGES      1000u
#define VSOCKIF_MAX_PACKET          65536u      /* bytes of data in one packet */
#define VSOCKIF_CONTROL_SLOTS       8u
#define VSOCKIF_MAX_RESETS          256u

/* Context ids (virtio 1.2, 5.10.4) and ports. */
#define VSOCKIF_CID_LOCAL           UINT64_C(1)
#define VSOCKIF_CID_HOST            UINT64_C(2)
#define VSOCKIF_CID_FIRST           UINT64_C(3)
#define VSOCKIF_CID_LAST            UINT64_C(0xfffffffe)
#define VSOCKIF_PORT_ANY            0xffffffffu

enum vsockif_state {
    VSOCKIF_UNKNOWN      = 0,
    VSOCKIF_INITIALISING = 1,
    VSOCKIF_INITWAIT     = 2,
    VSOCKIF_INITIALISED  = 3,
    VSOCKIF_CONNECTED    = 4,
    VSOCKIF_CLOSING      = 5,
    VSOCKIF_CLOSED       = 6
};

enum vsockif_op {
    VSOCKIF_OP_REQUEST        = 1,
    VSOCKIF_OP_RESPONSE       = 2,
    VSOCKIF_OP_RST            = 3,
    VSOCKIF_OP_SHUTDOWN       = 4,
    VSOCKIF_OP_RW             = 5,
    VSOCKIF_OP_CREDIT_UPDATE  = 6,
    VSOCKIF_OP_CREDIT_REQUEST = 7
};

#define VSOCKIF_TYPE_STREAM         1u
#define VSOCKIF_TYPE_SEQPACKET      2u
#define VSOCKIF_SEQ_EOM             1u
#define VSOCKIF_SEQ_EOR             2u
#define VSOCKIF_SHUTDOWN_RCV        1u
#define VSOCKIF_SHUTDOWN_SEND       2u

/* What both ends must have (section 2): a bit, and the word. */
#define VSOCKIF_FEATURES(X)                                                                             \
    X(SEQPACKET,  0, "seqpacket")

enum vsockif_feature {
#define X(name, bit, word) VSOCKIF_FEATURE_##name = 1 << bit,
    VSOCKIF_FEATURES(X)
#undef X
};

/* Why a connection was refused or reset (section 7): a number that never changes, the name that tools print and logs have, and what it
 * says to a person, behind "refused: " or "reset: ". */
#define VSOCKIF_REASONS(X)                                                                              \
    X(NONE,       0, "unspecified", "no reason was given")                                              \
    X(NOBODY,     1, "nobody",      "nobody listens at that port")                                      \
    X(BACKLOG,    2, "backlog",     "a program listens at that port, and its backlog is full")          \
    X(POLICY,     3, "policy",      "the policy of the host forbids it")                                \
    X(UNKNOWN,    4, "unknown",     "no guest has that CID")                                            \
    X(ABSENT,     5, "absent",      "the guest is there, but no program in it has its device open")     \
    X(RATE,       6, "rate",        "these are more connections a second than the host allows")         \
    X(LIMIT,      7, "limit",       "there are as many connections as an end may have at a time")       \
    X(SHORT,      8, "short",       "memory or descriptors are short at the other end")                 \
    X(TIMEOUT,    9, "timeout",     "the other end has not answered in time")                           \
    X(UNUSABLE,  10, "unusable",    "what is at that port cannot be connected to; the log says why")    \
    X(ABORTED,   11, "aborted",     "the program at the other end cut it off, or was killed")           \
    X(UNREAD,    12, "unread",      "the program at the other end closed it without reading everything") \
    X(GONE,      13, "gone",        "the guest at the other end is gone")                               \
    X(LEFT,      14, "left",        "the program at the other end has given up its device")             \
    X(DETACHED,  15, "detached",    "the device at the other end was taken away")                       \
    X(STOPPED,   16, "stopped",     "the daemon of the host stops")                                     \
    X(VIOLATION, 17, "violation",   "the other end broke a rule of the protocol")                       \
    X(STATUS,    18, "status",      "the command at the other end has failed: its exit status")         \
    X(SIGNAL,    19, "signal",      "the command at the other end was killed: by signal number")        \
    X(TYPE,      20, "type",        "who listens at that port does so for the other type, stream or seqpacket") \
    X(STREAMS,   21, "streams",     "the other end has streams alone, and no seqpacket")                \
    X(SIZE,      22, "size",        "a message was larger than the buffer of who receives it")

enum vsockif_reason {
#define X(name, number, word, text) VSOCKIF_REASON_##name = number,
    VSOCKIF_REASONS(X)
#undef X
    VSOCKIF_REASONS_END     /* one more than the last that this file knows */
};

/* virtio_vsock_hdr, little-endian. */
struct vsockif_hdr {
    uint64_t src_cid;
    uint64_t dst_cid;
    uint32_t src_port;
    uint32_t dst_port;
    uint32_t len;               /* bytes of data */
    uint16_t type;
    uint16_t op;
    uint32_t flags;
    uint32_t buf_alloc;         /* bytes */
    uint32_t fwd_cnt;           /* bytes, wraps */
} __attribute__((packed));

VSOCKIF_ASSERT(sizeof(struct vsockif_hdr) == 44);
VSOCKIF_AT(vsockif_hdr, dst_cid, 8);
VSOCKIF_AT(vsockif_hdr, src_port, 16);
VSOCKIF_AT(vsockif_hdr, dst_port, 20);
VSOCKIF_AT(vsockif_hdr, len, 24);
VSOCKIF_AT(vsockif_hdr, type, 28);
VSOCKIF_AT(vsockif_hdr, op, 30);
VSOCKIF_AT(vsockif_hdr, flags, 32);
VSOCKIF_AT(vsockif_hdr, buf_alloc, 36);
VSOCKIF_AT(vsockif_hdr, fwd_cnt, 40);

/* A request or a response (section 6). */
struct vsockif_slot {
    struct vsockif_hdr hdr;
    uint32_t id;
    uint32_t off;               /* bytes from the start of the pool */
    uint32_t size;              /* bytes */
    uint16_t count;             /* rx response: buffers in this packet */
    int16_t  status;            /* tx response: 0, or a negative errno of the backend's */
    uint8_t  reason;            /* RST: enum vsockif_reason */
    uint8_t  detail;            /* …STATUS: the exit status, 1 to 255; SIGNAL: the signal's number, 1 to 127; else 0 */
    uint16_t reserved;
} __attribute__((aligned(64)));

VSOCKIF_ASSERT(sizeof(struct vsockif_slot) == 64);
VSOCKIF_AT(vsockif_slot, id, 44);
VSOCKIF_AT(vsockif_slot, off, 48);
VSOCKIF_AT(vsockif_slot, size, 52);
VSOCKIF_AT(vsockif_slot, count, 56);
VSOCKIF_AT(vsockif_slot, status, 58);
VSOCKIF_AT(vsockif_slot, reason, 60);
VSOCKIF_AT(vsockif_slot, detail, 61);
VSOCKIF_AT(vsockif_slot, reserved, 62);

/* The start of a ring; the slots follow (section 5). */
struct vsockif_ring {
    uint32_t req_prod;
    uint32_t req_event;
    uint32_t rsp_prod;
    uint32_t rsp_event;
    uint8_t  reserved[48];
};

VSOCKIF_ASSERT(sizeof(struct vsockif_ring) == 64);
VSOCKIF_AT(vsockif_ring, req_event, 4);
VSOCKIF_AT(vsockif_ring, rsp_prod, 8);
VSOCKIF_AT(vsockif_ring, rsp_event, 12);

/* Slots in a ring of 2^order pages: 32, 64, 128, 256, 512. */
static inline uint32_t vsockif_ring_slots(uint32_t order)
{
    /* A ring of p pages has room for 64 p - 1 slots; the power of two below that is 32 p. */
    return 32u << order;
}

#define VSOCKIF_CONTROL_MAGIC       0x4b435356u     /* "VSCK" */
#define VSOCKIF_CONTROL_REFS        1008u

/* The control page (section 4). */
struct vsockif_control {
    uint32_t magic;
    uint32_t version;
    uint32_t tx_ring_pages;
    uint32_t rx_ring_pages;
    uint32_t tx_pool_pages;
    uint32_t rx_pool_pages;
    uint8_t  front_live;        /* 1; the kernel clears it when the frontend's process dies */
    uint8_t  back_live;         /* 1 once mapped; cleared when the backend unmaps or dies */
    uint8_t  reserved[38];
    uint32_t ref[VSOCKIF_CONTROL_REFS];
};

VSOCKIF_ASSERT(sizeof(struct vsockif_control) == VSOCKIF_PAGE_SIZE);
VSOCKIF_AT(vsockif_control, front_live, 24);
VSOCKIF_AT(vsockif_control, back_live, 25);
VSOCKIF_AT(vsockif_control, ref, 64);
VSOCKIF_ASSERT(2 * 16 + 2 * VSOCKIF_MAX_POOL_PAGES > VSOCKIF_CONTROL_REFS);  /* so the sum is checked, too */

#endif
