/* SPDX-License-Identifier: MIT */
/* ga.c: see ga.h. */
#include "ga.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "json.h"
#include "say.h"

#define MARK    '\xff'
#define STALE   (2u * LINES_MOST)       /* bytes of others' answers that are read over */

static int nonsense(struct ga *g, const char *what)
{
    snprintf(g->why, sizeof g->why, "%s", what);
    return -EPROTO;
}

/* Its error; anything else there may be is none. */
static int refused(struct ga *g, const json_t *error)
{
    const char *class = json_string_value(json_object_get(error, "class"));
    const char *text = json_string_value(json_object_get(error, "desc"));

    snprintf(g->class, sizeof g->class, "%s", class ? class : "");
    snprintf(g->why, sizeof g->why, "%s", text && *text ? text : "it does not say why");
    clean(g->class);
    clean(g->why);
    return strcmp(g->class, GA_BUSY) == 0 ? -EBUSY : -EREMOTEIO;
}

static json_t *question(const char *command, json_t *arguments)
{
    json_t *object = json_pack("{s:s}", "execute", command);

    if (object && arguments && json_object_set(object, "arguments", arguments)) {
        json_decref(object);
        object = NULL;
    }
    json_decref(arguments);
    return object;
}

/* A line that may be anything: 1 if it is the answer that is waited for, or an error if it says that there will be none. */
static int is_it(struct ga *g, const char *line, size_t len, json_int_t number)
{
    const char *mark = memrchr(line, MARK, len);
    size_t before = mark ? (size_t)(mark + 1 - line) : 0;
    char why[JSON_WHY];
    json_t *object = json_bounded(line + before, len - before, LINES_DEPTH, why);
    const json_t *value = json_object_get(object, "return"), *error = json_object_get(object, "error");
    int got = mark && json_is_integer(value) && json_integer_value(value) == number;

    if (!got && json_is_object(error)) {
        int err = refused(g, error);

        if (err == -EBUSY || strcmp(g->class, GA_ABSENT) == 0)
            got = err;
        else
            g->why[0] = '\0';   /* somebody else's */
    }
    json_decref(object);
    return got;
}

int ga_sync(struct ga *g, int64_t until)
{
    size_t stale = 0, len;
    const char *line;
    uint32_t number;
    int err;

    g->why[0] = g->class[0] = '\0';
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return -EIO;
    number &= 0x7fffffff;
    if ((err = lines_put(g->lines, "\xff", 1, until)) ||
        (err = lines_send(g->lines, question("guest-sync-delimited", json_pack("{s:I}", "id", (json_int_t)number)), until)))
        return err;
    for (;;) {
        if ((err = lines_next(g->lines, until, &line, &len)))
            return err == -EMSGSIZE ? nonsense(g, "it says more than can be an answer") : err;
        if ((err = is_it(g, line, len, number)))
            return err > 0 ? 0 : err;
        if ((stale += len + 1) > STALE)
            return nonsense(g, "it says a lot, and nothing of what it was asked");
    }
}

int ga_call(struct ga *g, const char *command, json_t *arguments, int64_t until, json_t **value)
{
    const json_t *error;
    json_t *object;
    int err;

    *value = NULL;
    g->why[0] = g->class[0] = '\0';
    if ((err = lines_send(g->lines, question(command, arguments), until)) || (err = lines_hear(g->lines, until, &object, g->why)))
        return err == -EMSGSIZE ? nonsense(g, "an answer of more than 8 MiB, which is not read: ask for less at a time") : err;
    if (json_is_object(error = json_object_get(object, "error")))
        err = refused(g, error);
    else if ((*value = json_object_get(object, "return")))
        json_incref(*value);
    else
        err = nonsense(g, "an answer with neither a result nor an error");
    json_decref(object);
    return err;
}
