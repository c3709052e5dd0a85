/* SPDX-License-Identifier: MIT */
/* event.h: what happens that others may want to hear of.  This list is its specification: xvsd(8) and the catalogue
 * (dist/xvs.catalog) tell people the same.
 *
 *     kind, word, level, MESSAGE_ID, what happens
 *
 * The word is what `xvs events` calls it; several kinds may have one, where a reader of the log wants advice of its own for each.  The
 * level is that of its line in the log.  The MESSAGE_ID finds the line in the journal and its entry in the catalogue: random, and never
 * another one for this kind nor this one for another.  A kind without one has no line in the log: whoever subscribes hears of it.
 *
 * With its line the journal gets XVS_EVENT, the word, and
 *     XVS_GUEST, XVS_DOMID       whom it is about: what xl calls it, and its number; XVS_DEVICE where it is not device 0
 *     XVS_CID                    the guest's, once it has one
 *     XVS_REASON                 why, of "refuse", "detach" and "disconnect": a word of vsockif.h's VSOCKIF_REASONS
 * Lines about a guest that are no event have these fields as well, but for XVS_EVENT.
 *
 * Pure. */
#ifndef XVSD_EVENT_H
#define XVSD_EVENT_H

/* syslog's numbers, which are sd-daemon's, too. */
enum journal_level { JOURNAL_ERROR = 3, JOURNAL_WARNING = 4, JOURNAL_NOTICE = 5, JOURNAL_INFO = 6, JOURNAL_DEBUG = 7 };

/* Of a guest's devices; of its streams; of the daemon. */
#define EVENTS(X)                                                                                                                     \
    X(ATTACHED,     "attach",     INFO,    "413c512d35ca4b74901760c48ae7215c", "the daemon serves a guest's device from now on")      \
    X(DETACHED,     "detach",     INFO,    "d839cc87b9b0454dbde1fd78df8c0421", "…and no longer, or its domain is gone")               \
    X(CHANGED,      "change",     NOTICE,  "f799b6a7bd5140ef90d4182f23af356d", "it has another name or another CID")                  \
    X(CONNECTED,    "connect",    INFO,    "f97da10e9fc4468894453c630c92d8cc", "a program in the guest has its device open")          \
    X(DISCONNECTED, "disconnect", INFO,    "360e3ed63dde4860b9ecd6f027f0a556", "…and no longer")                                      \
    X(REJECTED,     "reject",     ERROR,   "4a917440e0c74564a35debda6c377515", "a device is closed: its guest broke a rule, or cannot be served") \
    X(DELAYED,      "delay",      WARNING, "814ea293e2cd4e5d9afd51b95d134245", "a guest has to wait for us, and is connected later")  \
                                                                                                                                      \
    X(OPENED,       "open",       DEBUG,   "",                                 "both ends have agreed to a connection")               \
    X(ENDED,        "end",        DEBUG,   "",                                 "…and it has ended in order")                          \
    X(RESET,        "reset",      DEBUG,   "",                                 "…and it has not")                                     \
    X(REFUSED,      "refuse",     NOTICE,  "cf7de27105e5459da49aa9929d1eb47c", "a connection is refused")                             \
    X(FORBIDDEN,    "refuse",     NOTICE,  "0b0c4ef6a40a430d8f19a0cb46fb4889", "…by the policy")                                      \
    X(HURRIED,      "storm",      NOTICE,  "d9e9806a0cfa4b68a0b65bfee93b7197", "a guest asks for more connections a second than it may") \
    X(NOISY,        "storm",      NOTICE,  "df513bad4ecc4ab58777e28d16e49ba3", "a guest sends notifications without work, and is heard less often") \
    X(LEFT_OUT,     "storm",      WARNING, "a7e251e905bf48a19afab5ac0172a0db", "lines about a guest are not in the log, since they were too many") \
                                                                                                                                      \
    X(READY,        "ready",      NOTICE,  "4daec737be32498e91dd799070985575", "the daemon serves")                                   \
    X(STOPPED,      "stop",       NOTICE,  "7565b55f6b49416483bed8754005aa36", "…and no longer")                                      \
    X(RELOADED,     "reload",     NOTICE,  "36f6fe7d86504c5baeacbbebf73ae630", "settings and policy were read again")                 \
    X(UNREADABLE,   "reload",     ERROR,   "ffaccca9ee3b45c684d49215a07c1a07", "…and are wrong: those before stay in force")          \
    X(RESTARTED,    "restart",    ERROR,   "94ae745c79e34f80867f5c8c40bb3846", "a process of the daemon has ended, and another one begins") \
    X(ALONE,        "xenstored",  ERROR,   "279064d40d8f40a3b4f7bfa4f9b1dbf4", "the connection to xenstored is lost")                 \
    X(EXHAUSTED,    "files",      ERROR,   "6918e19b5a8242e2bc0ce08a485a8be4", "descriptors are short")                               \
                                                                                                                                      \
    X(LOST,         "lost",       DEBUG,   "",                                 "a subscriber was too slow for so many events")

enum event_kind {
    EVENT_NONE,
#define X(name, word, level, id, text) EVENT_##name,
    EVENTS(X)
#undef X
    EVENTS_END
};

/* "attach"; "" of EVENT_NONE and of what is none. */
const char *event_word(enum event_kind kind);
/* 32 digits, or "". */
const char *event_id(enum event_kind kind);
enum journal_level event_level(enum event_kind kind);

#endif
