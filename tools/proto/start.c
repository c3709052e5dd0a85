/* SPDX-License-Identifier: MIT */
/* start.c: see start.h. */
#include "start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 3u                /* { "argv": [ { "hex": … */

static int wrong(char *why, const char *text)
{
    snprintf(why, JSON_WHY, "%s", text);
    return -EPROTO;
}

/* ---- reading ---- */

static int get_argv(const json_t *list, struct start *s, char *why)
{
    size_t count = json_array_size(list);

    if (!list && s->shell)
        count = 0;
    else if (!json_is_array(list) || (!count && !s->shell))
        return wrong(why, "no command in \"argv\"");
    if (!(s->argv = calloc(count + 1, sizeof *s->argv)))
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (!(s->argv[i] = json_to_bytes(json_array_get(list, i))))
            return wrong(why, "something in \"argv\" is no string");
    if (!s->shell && !s->argv[0][0])
        return wrong(why, "the command's name is empty");
    return 0;
}

static int get_env(json_t *object, struct start *s, char *why)
{
    size_t n = 0;
    json_t *value;
    const char *name;

    if (object && !json_is_object(object))
        return wrong(why, "\"env\" is no object");
    if (!(s->env = calloc(json_object_size(object) + 1, sizeof *s->env)))
        return -ENOMEM;
    json_object_foreach(object, name, value) {
        char *text = json_to_bytes(value);
        int len;

        if (!text)
            return wrong(why, "something in \"env\" is no string");
        if (!*name || strchr(name, '=')) {
            free(text);
            return wrong(why, "a name in \"env\" is empty or has a '='");
        }
        len = asprintf(&s->env[n], "%s=%s", name, text);
        free(text);
        if (len < 0) {
            s->env[n] = NULL;
            return -ENOMEM;
        }
        n++;
    }
    return 0;
}

static int get_text(const json_t *o, const char *name, char **text, char *why)
{
    const json_t *value = json_object_get(o, name);

    if (value && !(*text = json_to_bytes(value))) {
        snprintf(why, JSON_WHY, "\"%s\" is no string", name);
        return -EPROTO;
    }
    return 0;
}

static int get_bool(const json_t *o, const char *name, bool *flag, char *why)
{
    const json_t *value = json_object_get(o, name);

    if (value && !json_is_boolean(value)) {
        snprintf(why, JSON_WHY, "\"%s\" is neither true nor false", name);
        return -EPROTO;
    }
    *flag = json_is_true(value);
    return 0;
}

static bool get_number(const json_t *value, json_int_t most, json_int_t *number)
{
    *number = json_integer_value(value);
    return json_is_integer(value) && *number >= 0 && *number <= most;
}

static int get_tty(const json_t *size, struct start *s, char *why)
{
    json_int_t rows, columns;

    if (!size)
        return 0;
    if (json_array_size(size) != 2 || !get_number(json_array_get(size, 0), UINT16_MAX, &rows) ||
        !get_number(json_array_get(size, 1), UINT16_MAX, &columns))
        return wrong(why, "\"tty\" is not two numbers from 0 to 65535");
    s->tty = true;
    s->rows = (uint16_t)rows;
    s->columns = (uint16_t)columns;
    return 0;
}

static int get_timeout(const json_t *value, struct start *s, char *why)
{
    json_int_t ms = 0;

    if (value && (!get_number(value, START_TIMEOUT, &ms) || !ms))
        return wrong(why, "\"timeout\" is no number of milliseconds");
    s->timeout = (uint32_t)ms;
    return 0;
}

int start_parse(const void *text, size_t len, struct start *s, char why[JSON_WHY])
{
    static const char *const names[] = { "argv", "env", "cwd", "user", "term", "timeout", "tty", "stdin", "detach", "shell", NULL };
    json_t *o;
    int err = -EPROTO;

    memset(s, 0, sizeof *s);
    why[0] = '\0';
    if (!(o = json_bounded(text, len, DEPTH, why)))
        return err;
    if (json_knows(o, names, why) && !(err = get_bool(o, "shell", &s->shell, why)) &&
        !(err = get_bool(o, "stdin", &s->has_stdin, why)) && !(err = get_bool(o, "detach", &s->detach, why)) &&
        !(err = get_argv(json_object_get(o, "argv"), s, why)) && !(err = get_env(json_object_get(o, "env"), s, why)) &&
        !(err = get_text(o, "cwd", &s->cwd, why)) && !(err = get_text(o, "user", &s->user, why)) &&
        !(err = get_text(o, "term", &s->term, why)) && !(err = get_tty(json_object_get(o, "tty"), s, why)))
        err = get_timeout(json_object_get(o, "timeout"), s, why);
    json_decref(o);
    return err;
}

static void free_list(char **list)
{
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

void start_free(struct start *s)
{
    free_list(s->argv);
    free_list(s->env);
    free(s->cwd);
    free(s->user);
    free(s->term);
    memset(s, 0, sizeof *s);
}

/* ---- writing ---- */

static json_t *argv_json(char *const *argv)
{
    json_t *list = json_array();

    for (; list && argv && *argv; argv++)
        if (json_array_append_new(list, json_from_bytes(*argv))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* "NAME=value" without a '=' is no variable. */
static json_t *env_json(char *const *env)
{
    json_t *o = json_object();

    for (; o && env && *env; env++) {
        const char *is = strchr(*env, '=');
        char *name = is ? strndup(*env, (size_t)(is - *env)) : NULL;

        if (!name || json_object_set_new(o, name, json_from_bytes(is + 1))) {
            free(name);
            json_decref(o);
            return NULL;
        }
        free(name);
    }
    return o;
}

static bool add_text(json_t *o, const char *name, const char *text)
{
    return !text || json_object_set_new(o, name, json_from_bytes(text)) == 0;
}

static bool add_flag(json_t *o, const char *name, bool flag)
{
    return !flag || json_object_set_new(o, name, json_true()) == 0;
}

char *start_text(const struct start *s, size_t *len)
{
    json_t *o = json_object();
    char *text = NULL;

    if (o && json_object_set_new(o, "argv", argv_json(s->argv)) == 0 && json_object_set_new(o, "env", env_json(s->env)) == 0 &&
        add_text(o, "cwd", s->cwd) && add_text(o, "user", s->user) && add_text(o, "term", s->term) &&
        add_flag(o, "stdin", s->has_stdin) && add_flag(o, "detach", s->detach) && add_flag(o, "shell", s->shell) &&
        (!s->tty || json_object_set_new(o, "tty", json_pack("[i,i]", (int)s->rows, (int)s->columns)) == 0) &&
        (!s->timeout || json_object_set_new(o, "timeout", json_integer(s->timeout)) == 0))
        text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (text)
        *len = strlen(text);
    return text;
}
