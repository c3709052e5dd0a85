/* SPDX-License-Identifier: MIT */
/* policy_verb.c: see policy_verb.h.  The question is put to the policy as a connect would put it. */
#include "policy_verb.h"

#include <stdlib.h>
#include <string.h>

#include "refusal.h"
#include "who.h"
#include "vsockif.h"

#define GROUPS 65536u           /* that a process can have */

/* One end of the question. */
struct asked {
    struct policy_end end;
    struct title title;         /* of a guest that is not there */
    char uuid[NAMES_UUID];
    struct policy_peer peer;
};

/* A path may have any bytes; what is not printable is shown as a question mark. */
static json_t *printable(const char *text)
{
    char *copy = strdup(text);
    json_t *string;

    if (!copy)
        return NULL;
    for (char *at = copy; *at; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    string = json_string(copy);
    free(copy);
    return string;
}

static void add_line(json_t *object, const struct policy_line *line)
{
    json_object_set_new(object, "file", printable(line->file));
    json_object_set_new(object, "line", json_integer(line->number));
    json_object_set_new(object, "text", json_string(line->text));
}

static json_t *all_lines(const struct policy *p)
{
    json_t *lines = json_array();

    for (size_t i = 0; i < p->count; i++) {
        json_t *line = json_object();

        add_line(line, &p->lines[i]);
        json_array_append_new(lines, line);
    }
    return json_pack("{s:b, s:o}", "ok", 1, "lines", lines);
}

/* ---- a question ---- */

/* The guest that is meant (who.h); NULL. */
static const struct title *find_guest(const struct worker *w, const char *text)
{
    const struct guest *g;
    struct who who;

    return who_read(text, &who) && (g = who_find(w, &who, NULL)) ? &g->title : NULL;
}

/* A guest that is not there is one that has that name and no UUID, or the other way round. */
static bool make_guest(struct asked *a, const char *text)
{
    a->title = (struct title){ .name = "", .uuid = "" };
    if (!strncmp(text, "uuid:", 5)) {
        a->title.uuid = a->uuid;
        return a->title.has_uuid = names_read_uuid(text + 5, a->uuid);
    }
    a->title.name = text;
    return a->title.has_name = names_is_good(text);
}

/* True, or false with the answer. */
static bool read_end(const struct worker *w, struct asked *a, const json_t *request, const char *key, json_t **answer)
{
    const char *text = json_string_value(json_object_get(request, key));

    *a = (struct asked){ .end.kind = POLICY_GUEST };
    if (!text) {
        *answer = refusal("policy: \"source\", \"destination\" and \"port\" go together, the first two are strings");
        return false;
    }
    if (!strcmp(text, "@unix"))
        a->end.kind = POLICY_UNIX;
    else if (!strcmp(text, "@vsock"))
        a->end.kind = POLICY_VSOCK;
    else if ((a->end.guest = find_guest(w, text)))
        ;
    else if (*text == ':')
        *answer = refusal("policy: there is no domain %.20s with a device", text + 1);
    else if (make_guest(a, text))
        a->end.guest = &a->title;
    else
        *answer = refusal("policy: \"%.80s\" is no %s; it is the name of a guest, uuid:UUID, :DOMID, @unix or @vsock", text, key);
    return !*answer;
}

/* Whose program a source is.  The groups are the caller's to free. */
static bool read_peer(struct asked *a, const json_t *request, gid_t **groups, json_t **answer)
{
    const json_t *user = json_object_get(request, "user"), *list = json_object_get(request, "groups"), *value;
    size_t i;

    if ((!user && !list) || a->end.kind != POLICY_UNIX)
        return true;
    a->peer = (struct policy_peer){ .user = user ? (uid_t)json_integer_value(user) : (uid_t)-1 };
    if ((user && !json_is_integer(user)) || (list && (!json_is_array(list) || json_array_size(list) > GROUPS))) {
        *answer = refusal("policy: \"user\" is a number, and \"groups\" are a list of them");
        return false;
    }
    if (!(*groups = calloc(json_array_size(list) + 1, sizeof **groups))) {
        *answer = refusal("policy: out of memory");
        return false;
    }
    json_array_foreach(list, i, value)
        (*groups)[i] = (gid_t)json_integer_value(value);
    a->peer.groups = *groups;
    a->peer.group_count = json_array_size(list);
    a->end.peer = &a->peer;
    return true;
}

static json_t *decide(const struct worker *w, const struct asked *from, const struct asked *to, uint32_t port)
{
    const struct policy_line *line = policy_decide(w->policy, &from->end, &to->end, port);
    json_t *answer = json_pack("{s:b, s:b}", "ok", 1, "allowed", (int)policy_allows(line));

    if (line)
        add_line(answer, line);
    return answer;
}

json_t *policy_verb(struct worker *w, json_t *request)
{
    const json_t *port = json_object_get(request, "port");
    struct asked from, to;
    gid_t *groups = NULL;
    json_t *answer = NULL;

    if (!port && !json_object_get(request, "source") && !json_object_get(request, "destination"))
        return all_lines(w->policy);
    if (!read_end(w, &from, request, "source", &answer) || !read_end(w, &to, request, "destination", &answer))
        return answer;
    if (!json_is_integer(port) || json_integer_value(port) < 0 || json_integer_value(port) >= VSOCKIF_PORT_ANY)
        return refusal("policy: \"port\" must be a number from 0 to 4294967294");
    if (from.end.kind != POLICY_GUEST && to.end.kind != POLICY_GUEST)
        return refusal("policy: one of the two is a guest; programs of the host reach one another without us");
    if (read_peer(&from, request, &groups, &answer))
        answer = decide(w, &from, &to, (uint32_t)json_integer_value(port));
    free(groups);
    return answer;
}
