/* SPDX-License-Identifier: MIT */
/* inside.h: the broker as a whole, for its parts.
 *
 *     broker.c    the socket RUN/vsock and who may use it
 *     greet.c     programs that have come in and have not said where to
 *     ears.c      programs that listen at RUN/vsock_PORT, and calls for them
 *     stream.c    a program's socket and a stream of the device's, joined
 *     book.c      how streams end, and who asks
 *     holders.c   how much each user holds
 *     edges.c     sockets that nothing is read from yet */
#ifndef XVS_BROKER_INSIDE_H
#define XVS_BROKER_INSIDE_H

#include "book.h"
#include "brokered.h"
#include "edges.h"
#include "holders.h"
#include "side.h"
#include "turned_away.h"

#define BROKER_FEW    64u       /* streams of a user that have buffers of the usual size: */
#define BROKER_BUFFER 32768u    /* …bytes of the others' */

struct broker {
    struct loop *loop;
    struct side *side;
    bool (*keeps)(void *arg, uint32_t port);
    void *keeps_arg;
    struct broker_settings settings;
    bool open;
    int dirfd;                  /* the run directory */
    int name_fd;                /* O_PATH, of our socket there */
    struct watch door;          /* its listening descriptor */
    struct timer again;         /* door: after there was no descriptor, or no directory */
    char said[256];             /* why it could not be opened */

    struct holders holders;     /* sockets of programs, of whatever kind */
    struct book book;
    struct turned_away turned;  /* who was refused */
    struct edges edges;
    struct list greeted;        /* struct client.link (greet.c) */
    struct holders greeting;
    struct list streams;        /* struct stream.link (stream.c) */
    struct list ears;           /* struct ear.link (ears.c) */
    struct holders listeners;   /* ears */
    struct watch news;          /* of the directory */
    struct timer look;          /* when all of it is to be looked at */
    int64_t pause;              /* ns: how long that was put off the last time */
};

/* ---- greet.c ---- */

void greet_more(struct broker *b);
void greet_end(struct broker *b);

/* ---- stream.c ---- */

/* Whose socket this is; (uid_t)-1 if that cannot be told. */
uid_t stream_user(int fd);
/* A program wants there, and the newline of its line is in the socket.  Takes fd and what it holds. */
void stream_call(struct broker *b, int fd, struct holder *holder, uint32_t cid, uint32_t port, bool calls);
/* Somebody has been called, at fd.  Takes all three; *far is reset if there is no memory. */
void stream_take(struct broker *b, int fd, struct holder *holder, struct end *far, uint32_t number, bool calls);
/* Somebody has said CONNECT or CALL, and is told no: by whom ("port", "daemon", …), and why.  The socket stays the caller's. */
void stream_refuse(struct broker *b, int fd, uint32_t cid, uint32_t port, bool calls, const char *by, struct reason why);
/* WHY: answers.  The socket stays the caller's. */
void stream_tell_why(struct broker *b, int fd, uint32_t cid, uint32_t port);
/* Streams of this user that are not to have large buffers any more. */
bool stream_is_one_of_many(const struct holder *holder);
void streams_end(struct broker *b);

/* ---- ears.c ---- */

void ears_begin(struct broker *b);
/* Other ports are kept now: those are given back at once, and others taken with the next look. */
void ears_anew(struct broker *b);
void ears_end(struct broker *b);

#endif
