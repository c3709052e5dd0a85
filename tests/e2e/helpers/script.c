/* SPDX-License-Identifier: MIT */
/* script.c: streams driven line by line, so that a test says exactly what happens in which order.
 *
 * Each argument, then each line of standard input if the last argument was "-", is one step; each step answers with one line:
 *
 *     listen L PLACE [BACKLOG]       listen L ok
 *     accept S L [MS]                accept S ok
 *     connect S PLACE [MS]           connect S ok
 *     send S BYTES [MS]              send S ok | send S 4096 EPIPE         (bytes that went before)
 *     recv S BYTES [MS]              recv S ok | recv S 12 eof | recv S 12 ECONNRESET | recv S wrong at 7
 *     line S [MS]                    line S WORDS, up to a newline and not a byte more | line S eof | line S ECONNRESET
 *     eof S [MS]                     eof S ok | eof S data | eof S ECONNRESET
 *     shutdown S rd|wr|rdwr          close S      reset S      error S      unlisten L
 *     option [S] NAME VALUE          of the socket, or of those made from now on: option ok
 *     up [MS]   down [MS]            the device
 *     sleep MS                       the time that a test takes on purpose
 *     echo L [N]                     serves until N streams have ended or input arrives: echo L 200
 *     sink L [N]                     the same, only reading
 *     many PLACE N BYTES [MS]        N streams at once; all open before one is used; echoed and compared: many ok 200
 *     flood PLACE N                  N streams that are written and never read, until input arrives: flood BYTES
 *     stats
 *     helper                         helper PID: a child, without exec, that lives until it is killed
 *
 * S and L are words.  Streams of the same first letter carry the same pattern (pattern.h), in each direction on its own.  A
 * step that was not understood ends the program with 2; end of input ends it in order. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "end.h"
#include "pattern.h"

#define DEFAULT_MS 300000      /* whoever tells the steps waits less */

struct stream {
    char name[24];
    struct end *end;
    uint64_t sent, received;
};
struct listener {
    char name[24];
    struct end_listener *end;
};
static struct stream streams[64];
static struct listener listeners[16];
static unsigned char buffer[65536];
int end_input = -1;

/* Steps that were read with the one that is under way. */
static struct {
    char text[4096];
    size_t len;
} ahead;

/* end_pump(), which also ends for a step that waits here. */
static bool next_step_waits(int ms)
{
    bool waits = ahead.len > 0;

    return end_pump(waits ? 0 : ms) == 1 || waits;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int left_of(uint64_t deadline)
{
    uint64_t now = now_ms();

    return now >= deadline ? 0 : (int)(deadline - now);
}

static const char *word_of(int err)
{
    const char *name = err == 0 ? "ok" : strerrorname_np(-err);

    return name ? name : "EUNKNOWN";
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static struct stream *stream_of(const char *name, bool make)
{
    struct stream *unused = NULL;

    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        if (streams[i].end && strcmp(streams[i].name, name) == 0)
            return &streams[i];
        if (!streams[i].end && !unused)
            unused = &streams[i];
    }
    if (!make || !unused) {
        fprintf(stderr, "script: no stream %s\n", name);
        exit(2);
    }
    memset(unused, 0, sizeof *unused);
    snprintf(unused->name, sizeof unused->name, "%s", name);
    return unused;
}

static struct listener *listener_of(const char *name, bool make)
{
    struct listener *unused = NULL;

    for (size_t i = 0; i < sizeof listeners / sizeof *listeners; i++) {
        if (listeners[i].end && strcmp(listeners[i].name, name) == 0)
            return &listeners[i];
        if (!listeners[i].end && !unused)
            unused = &listeners[i];
    }
    if (!make || !unused) {
        fprintf(stderr, "script: no listener %s\n", name);
        exit(2);
    }
    snprintf(unused->name, sizeof unused->name, "%s", name);
    return unused;
}

static uint64_t seed_of(const struct stream *s)
{
    return (unsigned char)s->name[0];
}

static void do_send(const char *name, uint64_t want, int ms)
{
    struct stream *s = stream_of(name, false);
    uint64_t deadline = now_ms() + (uint64_t)ms, went = 0;
    ssize_t n = 0;

    while (went < want) {
        size_t len = want - went < sizeof buffer ? (size_t)(want - went) : sizeof buffer;

        pattern_fill(buffer, len, seed_of(s), s->sent);
        n = end_send(s->end, buffer, len, left_of(deadline));
        if (n < 0)
            break;
        went += (uint64_t)n;
        s->sent += (uint64_t)n;
    }
    if (went == want)
        say("send %s ok", name);
    else
        say("send %s %llu %s", name, (unsigned long long)went, word_of((int)n));
}

static void do_recv(const char *name, uint64_t want, int ms)
{
    struct stream *s = stream_of(name, false);
    uint64_t deadline = now_ms() + (uint64_t)ms, came = 0;
    ssize_t n = 1;

    while (came < want) {
        size_t len = want - came < sizeof buffer ? (size_t)(want - came) : sizeof buffer;
        size_t good;

        n = end_recv(s->end, buffer, len, left_of(deadline));
        if (n <= 0)
            break;
        good = pattern_check(buffer, (size_t)n, seed_of(s), s->received);
        if (good != (size_t)n) {
            say("recv %s wrong at %llu", name, (unsigned long long)(s->received + good));
            return;
        }
        came += (uint64_t)n;
        s->received += (uint64_t)n;
    }
    if (came == want)
        say("recv %s ok", name);
    else
        say("recv %s %llu %s", name, (unsigned long long)came, n == 0 ? "eof" : word_of((int)n));
}

static void do_line(const char *name, int ms)
{
    struct stream *s = stream_of(name, false);
    char line[200];
    size_t len = 0;

    while (len + 1 < sizeof line) {
        ssize_t n = end_recv(s->end, line + len, 1, ms);

        if (n <= 0) {
            say("line %s %s", name, n ? strerrorname_np((int)-n) : "eof");
            return;
        }
        if (line[len] == '\n')
            break;
        len++;
    }
    line[len] = '\0';
    say("line %s %s", name, line);
}

static void do_eof(const char *name, int ms)
{
    ssize_t n = end_recv(stream_of(name, false)->end, buffer, 1, ms);

    say("eof %s %s", name, n > 0 ? "data" : word_of((int)n));
}

/* ---- many streams at a time ---- */

struct serving {
    struct end *end;
    size_t len, done;           /* of what was read and waits to be echoed */
    bool half;                  /* the peer has shut its side */
    unsigned char data[4096];
};

/* One step of an echoing or sinking stream: false when it is over. */
static bool serve_step(struct serving *s, bool echo, bool *progress)
{
    for (int round = 0; round < 16; round++) {
        ssize_t n;

        while (s->done < s->len) {
            n = end_send(s->end, s->data + s->done, s->len - s->done, 0);
            if (n == -ETIMEDOUT)
                return true;
            if (n < 0)
                return false;
            *progress = true;
            s->done += (size_t)n;
        }
        n = end_recv(s->end, s->data, sizeof s->data, 0);
        if (n == -ETIMEDOUT)
            return true;
        if (n <= 0)
            return false;
        *progress = true;
        s->len = echo ? (size_t)n : 0;
        s->done = 0;
    }
    return true;
}

static void do_serve(const char *verb, const char *name, unsigned long until)
{
    struct listener *l = listener_of(name, false);
    struct serving **all = NULL;
    size_t count = 0, room = 0;
    unsigned long ended = 0;
    bool stop = false;

    say("%s %s ready", verb, name);
    while (!stop && (!until || ended < until)) {
        bool progress = false;
        struct end *e;

        while (end_accept(l->end, 0, &e) == 0) {
            if (count == room) {
                room = room ? 2 * room : 64;
                all = realloc(all, room * sizeof *all);
            }
            if (!all || !(all[count] = calloc(1, sizeof **all)))
                exit(3);
            all[count++]->end = e;
            progress = true;
        }
        for (size_t i = 0; i < count;) {
            if (serve_step(all[i], strcmp(verb, "echo") == 0, &progress)) {
                i++;
                continue;
            }
            end_close(all[i]->end);
            free(all[i]);
            all[i] = all[--count];
            ended++;
            progress = true;
        }
        if (next_step_waits(progress ? 0 : 1000))
            stop = true;
    }
    while (count > 0) {
        end_close(all[--count]->end);
        free(all[count]);
    }
    free(all);
    say("%s %s %lu", verb, name, ended);
}

struct one {
    struct end *end;
    uint64_t sent, received;
    bool shut, over;
};

/* One step of one of many: 0 to go on, 1 when it has ended well, or a negative errno. */
static int many_step(struct one *o, uint64_t seed, uint64_t bytes, bool *progress)
{
    ssize_t n;

    while (o->sent < bytes) {
        size_t len = bytes - o->sent < 4096 ? (size_t)(bytes - o->sent) : 4096;

        pattern_fill(buffer, len, seed, o->sent);
        n = end_send(o->end, buffer, len, 0);
        if (n == -ETIMEDOUT)
            break;
        if (n < 0)
            return (int)n;
        o->sent += (uint64_t)n;
        *progress = true;
    }
    if (o->sent == bytes && !o->shut) {
        int err = end_shutdown(o->end, SHUT_WR);

        if (err)
            return err;
        o->shut = true;
    }
    while ((n = end_recv(o->end, buffer, sizeof buffer, 0)) > 0) {
        if (pattern_check(buffer, (size_t)n, seed, o->received) != (size_t)n)
            return -EBADMSG;
        o->received += (uint64_t)n;
        *progress = true;
    }
    if (n == 0)
        return o->received == bytes ? 1 : -ENODATA;
    return n == -ETIMEDOUT ? 0 : (int)n;
}

static void do_many(const char *where, unsigned long count, uint64_t bytes, int ms)
{
    uint64_t deadline = now_ms() + (uint64_t)ms;
    struct one *all = calloc(count ? count : 1, sizeof *all);
    unsigned long open = 0, over = 0;
    int err = all ? 0 : -ENOMEM;

    for (unsigned long i = 0; i < count && err == 0; i++) {
        /* Some at a time: a backlog is finite, and being refused by a full one is not what is tested. */
        if ((err = end_begin(where, &all[i].end)) != 0)
            break;
        while (i - open >= 8 && err == 0) {
            if ((err = end_opened(all[open].end)) == 0)
                open++;
            else if (err == -EAGAIN)
                err = left_of(deadline) > 0 ? (end_pump(10), 0) : -ETIMEDOUT;
        }
    }
    while (open < count && err == 0) {
        if ((err = end_opened(all[open].end)) == 0)
            open++;
        else if (err == -EAGAIN)
            err = left_of(deadline) > 0 ? (end_pump(10), 0) : -ETIMEDOUT;
    }
    if (err == 0)
        say("many open %lu", open);
    while (over < count && err == 0) {
        bool progress = false;

        for (unsigned long i = 0; i < count && err == 0; i++) {
            int step;

            if (all[i].over)
                continue;
            step = many_step(&all[i], i + 1000, bytes, &progress);
            if (step < 0)
                err = step;
            if (step == 1) {
                all[i].over = true;
                over++;
            }
        }
        if (err == 0 && left_of(deadline) == 0)
            err = -ETIMEDOUT;
        if (err == 0 && over < count)
            end_pump(progress ? 0 : 20);
    }
    for (unsigned long i = 0; all && i < count; i++)
        if (all[i].end)
            end_close(all[i].end);
    free(all);
    if (err == 0)
        say("many ok %lu", over);
    else
        say("many %s open %lu over %lu", word_of(err), open, over);
}

static void do_flood(const char *where, unsigned long count)
{
    uint64_t went = 0;
    struct end **all = calloc(count ? count : 1, sizeof *all);

    pattern_fill(buffer, sizeof buffer, 0, 0);
    while (all && !next_step_waits(0)) {
        for (unsigned long i = 0; i < count; i++) {
            ssize_t n = 0;

            if (!all[i] && end_connect(where, 1000, &all[i]) != 0)
                all[i] = NULL;
            if (all[i] && (n = end_send(all[i], buffer, sizeof buffer, 0)) > 0)
                went += (uint64_t)n;
            if (all[i] && n < 0 && n != -ETIMEDOUT) {
                end_close(all[i]);
                all[i] = NULL;
            }
        }
    }
    for (unsigned long i = 0; all && i < count; i++)
        if (all[i])
            end_close(all[i]);
    free(all);
    say("flood %llu", (unsigned long long)went);
}

/* ---- the script ---- */

static int how_of(const char *word)
{
    return strcmp(word, "rd") == 0 ? SHUT_RD : strcmp(word, "wr") == 0 ? SHUT_WR : SHUT_RDWR;
}

static void sleep_for(int ms)
{
    uint64_t deadline = now_ms() + (uint64_t)ms;
    int left;

    while ((left = left_of(deadline)) > 0)
        if (next_step_waits(left))
            usleep(1000);       /* the next step waits on standard input: that is no reason to be early */
}

static void do_helper(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        alarm(600);             /* should the test be killed itself */
        for (;;)
            pause();
    }
    say("helper %ld", (long)pid);
}

static bool step(char *line)
{
    char *w[6] = { 0 }, *save = NULL;
    int n = 0, err;
    const char *verb;

    for (char *t = strtok_r(line, " \t\r\n", &save); t && n < 6; t = strtok_r(NULL, " \t\r\n", &save))
        w[n++] = t;
    if (n == 0)
        return true;
    verb = w[0];
#define IS(text, least) (strcmp(verb, text) == 0 && n > (least))
#define MS(i) (n > (i) ? atoi(w[i]) : DEFAULT_MS)
    if (IS("listen", 2)) {
        struct listener *l = listener_of(w[1], true);

        if ((err = end_listen(w[2], n > 3 ? (unsigned)atoi(w[3]) : 64, &l->end)) != 0)
            l->end = NULL;
        say("listen %s %s", w[1], word_of(err));
    } else if (IS("unlisten", 1)) {
        struct listener *l = listener_of(w[1], false);

        end_listener_close(l->end);
        l->end = NULL;
        say("unlisten %s ok", w[1]);
    } else if (IS("accept", 2)) {
        struct stream *s = stream_of(w[1], true);

        if ((err = end_accept(listener_of(w[2], false)->end, MS(3), &s->end)) != 0)
            s->end = NULL;
        say("accept %s %s", w[1], word_of(err));
    } else if (IS("connect", 2)) {
        struct stream *s = stream_of(w[1], true);

        if ((err = end_connect(w[2], MS(3), &s->end)) != 0)
            s->end = NULL;
        say("connect %s %s", w[1], word_of(err));
    } else if (IS("send", 2)) {
        do_send(w[1], strtoull(w[2], NULL, 10), MS(3));
    } else if (IS("line", 1)) {
        do_line(w[1], MS(2));
    } else if (IS("recv", 2)) {
        do_recv(w[1], strtoull(w[2], NULL, 10), MS(3));
    } else if (IS("eof", 1)) {
        do_eof(w[1], MS(2));
    } else if (IS("shutdown", 2)) {
        say("shutdown %s %s", w[1], word_of(end_shutdown(stream_of(w[1], false)->end, how_of(w[2]))));
    } else if (IS("close", 1) || IS("reset", 1)) {
        struct stream *s = stream_of(w[1], false);

        (*verb == 'c' ? end_close : end_reset)(s->end);
        s->end = NULL;
        say("%s %s ok", verb, w[1]);
    } else if (IS("error", 1)) {
        say("error %s %s", w[1], word_of(end_error(stream_of(w[1], false)->end)));
    } else if (IS("option", 2)) {
        say("option %s", word_of(end_option(n > 3 ? stream_of(w[1], false)->end : NULL, w[n - 2], strtoull(w[n - 1], NULL, 10))));
    } else if (IS("up", 0) || IS("down", 0)) {
        say("%s %s", verb, word_of(end_wait_device(*verb == 'u', MS(1))));
    } else if (IS("sleep", 1)) {
        sleep_for(atoi(w[1]));
        say("sleep ok");
    } else if (IS("echo", 1) || IS("sink", 1)) {
        do_serve(verb, w[1], n > 2 ? strtoul(w[2], NULL, 10) : 0);
    } else if (IS("many", 3)) {
        do_many(w[1], strtoul(w[2], NULL, 10), strtoull(w[3], NULL, 10), MS(4));
    } else if (IS("flood", 2)) {
        do_flood(w[1], strtoul(w[2], NULL, 10));
    } else if (IS("stats", 0)) {
        end_stats();
    } else if (IS("helper", 0)) {
        do_helper();
    } else if (IS("quit", 0)) {
        return false;
    } else {
        fprintf(stderr, "script: cannot read the step '%s'\n", verb);
        exit(2);
    }
    return true;
#undef IS
#undef MS
}

/* The next line of standard input, without its newline; false at the end. */
static bool next_line(char *line, size_t room)
{
    for (;;) {
        char *newline = memchr(ahead.text, '\n', ahead.len);
        ssize_t n;

        if (newline) {
            size_t len = (size_t)(newline - ahead.text);

            if (len >= room)
                return false;
            *newline = '\0';
            memcpy(line, ahead.text, len + 1);
            ahead.len -= len + 1;
            memmove(ahead.text, newline + 1, ahead.len);
            return true;
        }
        if (ahead.len == sizeof ahead.text)
            return false;
        while (end_pump(1000) != 1)
            ;
        n = read(STDIN_FILENO, ahead.text + ahead.len, sizeof ahead.text - ahead.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        ahead.len += (size_t)n;
    }
}

int main(int argc, char **argv)
{
    char line[512];
    bool going = true;
    int err = end_open();

    if (argc > 1 && strcmp(argv[argc - 1], "-") == 0)
        end_input = STDIN_FILENO;
    if (err) {
        say("open %s", word_of(err));
        return 1;
    }
    for (int i = 1; i < argc && going; i++) {
        if (strcmp(argv[i], "-") == 0) {
            while (going && next_line(line, sizeof line))
                going = step(line);
            break;
        }
        snprintf(line, sizeof line, "%s", argv[i]);
        going = step(line);
    }
    end_finish();
    return 0;
}
