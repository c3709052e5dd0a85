/* SPDX-License-Identifier: MIT */
/* copy_lab.c: see copy_lab.h. */
#include "copy_lab.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "list.h"

#define BLOCK 512u

static struct {
    struct channel channel;
    uint8_t *bytes;
    size_t len, room, at;
    struct wire wire;
    struct unpack *unpack;
    struct lab_outcome outcome;
} lab;

/* ---- the archive ---- */

static void add(const void *bytes, size_t len)
{
    if (lab.len + len > lab.room) {
        lab.room = 2 * (lab.len + len);
        lab.bytes = realloc(lab.bytes, lab.room);
        REQUIRE(lab.bytes != NULL);
    }
    if (len)
        memcpy(lab.bytes + lab.len, bytes, len);
    lab.len += len;
}

void lab_frame(enum frame_type type, const void *body, size_t len)
{
    uint8_t header[FRAME_HEADER];

    frame_header(header, type, len);
    add(header, sizeof header);
    add(body, len);
}

static void data(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t n; len; at += n, len -= n) {
        n = len < FRAME_MAX ? len : FRAME_MAX;
        lab_frame(FRAME_DATA, at, n);
    }
}

static void blocks(const void *bytes, size_t len)
{
    static const uint8_t zeros[BLOCK];

    data(bytes, len);
    if (len % BLOCK)
        data(zeros, BLOCK - len % BLOCK);
}

/* A number as tar has it: octal digits and a zero byte. */
static void octal(char *to, size_t room, uint64_t number)
{
    to[--room] = '\0';
    while (room--) {
        to[room] = (char)('0' + (number & 7));
        number >>= 3;
    }
}

static void header(const char *name, char type, const char *link, unsigned mode, size_t size)
{
    char h[BLOCK] = "";
    unsigned sum = 0;

    memcpy(h, name, strnlen(name, 100));
    octal(h + 100, 8, mode);
    octal(h + 108, 8, 0);
    octal(h + 116, 8, 0);
    octal(h + 124, 12, size);
    octal(h + 136, 12, 1000000000);
    memset(h + 148, ' ', 8);
    h[156] = type;
    if (link)
        memcpy(h + 157, link, strnlen(link, 100));
    memcpy(h + 257, "ustar\0" "00", 8);
    for (unsigned i = 0; i < BLOCK; i++)
        sum += (unsigned char)h[i];
    octal(h + 148, 7, sum);
    blocks(h, BLOCK);
}

void lab_tar(const struct lab_entry *e)
{
    size_t len = e->content ? strlen(e->content) : 0;

    header(e->name, e->type, e->link, e->mode ? e->mode : 0644, e->size ? e->size : len);
    blocks(e->content, len);
}

void lab_pax(const char *key, const char *value)
{
    size_t len = strlen(key) + strlen(value) + 3, digits = 1;
    char *text;
    int n;

    for (size_t ten = 10; len + digits >= ten; ten *= 10)
        digits++;
    n = asprintf(&text, "%zu %s=%s\n", len + digits, key, value);
    REQUIRE(n > 0);
    header("pax", 'x', NULL, 0644, (size_t)n);
    blocks(text, (size_t)n);
    free(text);
}

void lab_tar_end(void)
{
    static const uint8_t zeros[2 * BLOCK];

    blocks(zeros, sizeof zeros);
}

void lab_data_end(void)
{
    lab_frame(FRAME_DATA, NULL, 0);
}

void lab_root(uint64_t first, uint32_t source, enum land_kind kind, const char *name)
{
    struct said_root s = { .first = first, .source = source, .kind = kind };
    uint8_t body[SAID_ROOT];

    snprintf(s.name, sizeof s.name, "%s", name);
    lab_frame(FRAME_ROOT, body, said_put_root(body, &s));
}

void lab_sum(uint64_t entry, const char *content, uint32_t flags)
{
    struct said_sum s = { .entry = entry, .flags = flags };
    struct sum *sum = sum_new();
    uint8_t body[SAID_SUM];

    REQUIRE(sum != NULL);
    sum_begin(sum);
    sum_add(sum, 0, content, strlen(content));
    sum_end(sum, strlen(content), s.sum);
    sum_free(sum);
    lab_frame(FRAME_SUM, body, said_put_sum(body, &s));
}

/* ---- where ---- */

static void write_file(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");

    REQUIRE(f != NULL);
    fputs(content, f);
    fclose(f);
}

void lab_begin(void)
{
    const char *dir = harness_directory("copy");

    REQUIRE(dir != NULL && chdir(dir) == 0);
    free(lab.bytes);
    memset(&lab, 0, sizeof lab);
    REQUIRE(mkdir("target", 0755) == 0 && mkdir("outside", 0755) == 0);
    write_file("outside/secret", "secret");
    REQUIRE(chmod("outside/secret", 0600) == 0);
}

void lab_end(void)
{
    struct stat st;

    CU_ASSERT_TRUE(lab_has("outside/secret", "secret"));
    EQ(lab_count("outside"), 1);
    EQ(lab_count("."), 2);
    EQ(stat("outside/secret", &st), 0);
    EQ(st.st_mode & 07777, 0600);
    EQ(st.st_nlink, 1);
    EQ(stat("outside", &st), 0);
    EQ(st.st_mode & 07777, 0755);
}

/* ---- unpacking ---- */

static ssize_t give(struct channel *c, void *bytes, size_t len)
{
    (void)c;
    if (len > lab.len - lab.at)
        len = lab.len - lab.at;
    memcpy(bytes, lab.bytes + lab.at, len);
    lab.at += len;
    return (ssize_t)len;
}

static int hear(struct wire *w, const struct frame *f)
{
    (void)w;
    return unpack_hear(lab.unpack, f);
}

static void tell(struct report *r, const char *name, const char *why)
{
    if (r->problems <= LAB_PROBLEMS)
        snprintf(lab.outcome.problem[r->problems - 1], sizeof *lab.outcome.problem, "%.200s: %.200s", name, why);
}

const struct lab_outcome *lab_unpack(const struct unpack_options *o, const char *path)
{
    struct target t = { .path = path ? path : "target", .many = true };
    struct lab_outcome *out = &lab.outcome;
    const char *why = "";

    lab.channel.read = give;
    lab.wire = (struct wire){ .hear = hear };
    lab.at = 0;
    memset(out, 0, sizeof *out);
    out->report.tell = tell;
    EQ(wire_open(&lab.wire, &lab.channel, &frame_get_agent), 0);
    EQ(unpack_open(&lab.unpack, &lab.wire, &out->report, o, &t, &why), 0);
    if (!lab.unpack)
        printf("    %s\n", why);
    REQUIRE(lab.unpack != NULL);
    out->err = unpack_run(lab.unpack);
    snprintf(out->why, sizeof out->why, "%s", unpack_why(lab.unpack));
    unpack_close(lab.unpack);
    wire_close(&lab.wire);
    lab.unpack = NULL;
    return out;
}

const struct lab_outcome *lab_unpack_anybodys(void)
{
    static const struct unpack_options options = { .quick = true };

    lab_tar_end();
    lab_data_end();
    return lab_unpack(&options, NULL);
}

bool lab_told(const char *text)
{
    for (unsigned i = 0; i < LAB_PROBLEMS; i++)
        if (strstr(lab.outcome.problem[i], text))
            return true;
    for (unsigned i = 0; i < LAB_PROBLEMS && lab.outcome.problem[i][0]; i++)
        printf("    told: %s\n", lab.outcome.problem[i]);
    return false;
}

bool lab_has(const char *path, const char *content)
{
    char text[256] = "";
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        return false;
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    return n == strlen(content) && memcmp(text, content, n) == 0;
}

bool lab_has_not(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 && errno == ENOENT;
}

unsigned lab_count(const char *path)
{
    DIR *d = opendir(path);
    unsigned n = 0;

    REQUIRE(d != NULL);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}
