/* SPDX-License-Identifier: MIT */
/* fuzz_copy.c: what the other end of put and get says: an entry of an archive, what stands beside it, START.  What is judged to be good is below
 * the target and no more than the rules allow; what is read is what would be written. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "judge.h"
#include "place.h"
#include "request.h"
#include "said.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(holds) do { if (!(holds)) { fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds); abort(); } } while (0)

/* The next string, up to a zero byte; "" at the end.  To be freed. */
static char *string(const uint8_t **data, size_t *size)
{
    size_t len = strnlen((const char *)*data, *size);
    char *text = malloc(len + 1);               /* of exact size, so that a sanitizer sees a step too far */

    must(text != NULL);
    memcpy(text, *data, len);
    text[len] = '\0';
    len += len < *size;
    *data += len;
    *size -= len;
    return text;
}

static bool is_below(const char *name)
{
    size_t len = strlen(name);

    if (len >= NAME_ROOM || *name == '/' || (len && name[len - 1] == '/') || strstr(name, "//"))
        return false;
    while (*name) {
        size_t n = strcspn(name, "/");

        if (n > NAME_PART || (n == 1 && *name == '.') || (n == 2 && name[0] == '.' && name[1] == '.'))
            return false;
        name += n + (name[n] == '/');
    }
    return true;
}

static bool begins_with(const char *name, const char *as)
{
    size_t len = strlen(as);

    return !len || (strncmp(name, as, len) == 0 && (!name[len] || name[len] == '/'));
}

static void an_entry(const uint8_t *data, size_t size)
{
    static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, 0 };
    static const char *const firsts[] = { "", "www", "a" }, *const ass[] = { "", "www", "b" };
    static struct judgement j;
    unsigned flags, mode;
    char *name, *hard, *soft;
    struct judge_entry e;
    struct judge_rules r;

    if (size < 4)
        return;
    flags = data[0];
    mode = data[1] | (unsigned)data[2] << 8;
    e = (struct judge_entry){ .type = types[data[3] & 7], .mode = mode & 07777, .size = flags & 1 ? -1 : 1 };
    r = (struct judge_rules){ .first = firsts[(data[3] >> 3) % 3], .as = ass[(data[3] >> 5) % 3], .special = flags & 2,
                              .has_mode = flags & 4, .mode = 0600 };
    r.first_len = strlen(r.first);
    data += 4;
    size -= 4;
    e.name = name = string(&data, &size);
    hard = string(&data, &size);
    soft = string(&data, &size);
    e.hardlink = flags & 8 ? hard : NULL;
    e.symlink = flags & 16 ? soft : NULL;
    if (flags & 32)
        e.name = NULL;
    judge(&e, &r, &j);
    must((j.what == JUDGE_NO) == (j.why != NULL));
    if (j.what != JUDGE_NO) {
        must(is_below(j.name) && begins_with(j.name, r.as));
        must(j.name[0] || j.what == JUDGE_DIRECTORY);
        must(!(j.mode & ~(r.special ? 07777u : 0777u)));
        must(j.what != JUDGE_HARDLINK || (is_below(j.link) && j.link[0] && begins_with(j.link, r.as)));
        must(j.what != JUDGE_SYMLINK || strcmp(j.link, soft) == 0);
        must(j.what != JUDGE_FILE || e.size >= 0);
    }
    free(name);
    free(hard);
    free(soft);
}

static void what_is_said(const uint8_t *data, size_t size)
{
    static uint8_t again[SAID_PROBLEM];
    static struct said_problem problem;
    struct said_root root;
    struct said_sum sum;
    struct said_total total;
    struct report done = { 0 };

    if (said_get_root(data, size, &root)) {
        must(said_put_root(again, &root) == size && memcmp(again, data, size) == 0);
        must((root.kind == LAND_CONTENT) == !root.name[0] && is_below(root.name) && !strchr(root.name, '/'));
    }
    if (said_get_sum(data, size, &sum))
        must(said_put_sum(again, &sum) == size && memcmp(again, data, size) == 0);
    if (said_get_total(data, size, &total))
        must(said_put_total(again, &total) == size && memcmp(again, data, size) == 0);
    if (said_get_done(data, size, &done))
        must(said_put_done(again, &done) == size && memcmp(again, data, size) == 0);
    if (said_get_problem(data, size, &problem))
        must(said_put_problem(again, problem.name, problem.why) == size && memcmp(again, data, size) == 0);
}

static void a_request(const uint8_t *data, size_t size)
{
    struct request r, s;
    char why[JSON_WHY] = "", *text, *second;
    size_t len, other;

    if (request_parse(data, size, &r, why)) {
        must(why[0] && strnlen(why, sizeof why) < sizeof why);
    } else {
        must(r.count && r.paths[r.count] == NULL && r.unpack.mode <= 07777 && r.pack.sums == !r.tar);
        must((text = request_text(&r, &len)) != NULL);
        must(!request_parse(text, len, &s, why));
        must((second = request_text(&s, &other)) != NULL && len == other && memcmp(text, second, len) == 0);
        free(text);
        free(second);
        request_free(&s);
    }
    request_free(&r);
}

static void a_word(const uint8_t *data, size_t size)
{
    char *text = string(&data, &size);
    struct place p;
    size_t len;
    const char *name = land_name(text, &len);

    must(name >= text && name + len <= text + strlen(text) && !memchr(name, '/', len));
    if (!place_read(text, &p))
        must(*p.path && (p.kind == PLACE_PEER_PATH) == (p.peer[0] != '\0'));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(const uint8_t *, size_t) = { an_entry, what_is_said, a_request, a_word };

    if (size)
        tries[data[0] % (sizeof tries / sizeof *tries)](data + 1, size - 1);
    return 0;
}
