/* SPDX-License-Identifier: MIT */
/* capture.c: see capture.h. */
#include "capture.h"

#include "ask_of.h"
#include "paths.h"
#include "refusal.h"
#include "who.h"

/* NULL, or what is wrong. */
static json_t *read_ports(const json_t *list, struct tap *t)
{
    const json_t *port;
    size_t i;

    if (list && (!json_is_array(list) || json_array_size(list) > TAPIF_PORTS))
        return refusal("capture: \"ports\" must be a list of at most %u numbers", TAPIF_PORTS);
    json_array_foreach(list, i, port) {
        if (!json_is_integer(port) || json_integer_value(port) < 0 || json_integer_value(port) >= VSOCKIF_PORT_ANY)
            return refusal("capture: a port is a number from 0 to 4294967294");
        t->ports[t->port_count++] = (uint32_t)json_integer_value(port);
    }
    return NULL;
}

/* NULL, or what is wrong. */
static json_t *read_request(struct worker *w, json_t *request, struct tap *t)
{
    char domain[WALL_NAME];
    int64_t device = -1, snap = 0;
    struct who who;
    struct guest *g;
    json_t *wrong;

    if (!ask_of_domain(request, domain, sizeof domain) || !who_read(domain, &who))
        return refusal("capture: \"domain\" must be " WHO_WORDS);
    if (!ask_of_number(request, "device", 0, PATHS_DEVICES - 1, &device))
        return refusal("capture: \"device\" must be a number from 0 to %u", PATHS_DEVICES - 1);
    if (!ask_of_number(request, "snap", 0, TAPIF_SNAP_MOST, &snap))
        return refusal("capture: \"snap\" must be a number from 0 to %u", TAPIF_SNAP_MOST);
    if ((wrong = read_ports(json_object_get(request, "ports"), t)))
        return wrong;
    if (device < 0)
        device = who.device < 0 ? 0 : who.device;
    who.device = -1;
    if (!who_find(w, &who, NULL))
        return refusal("capture: there is no domain %s with a device", domain);
    who.device = (int)device;
    if (!(g = who_find(w, &who, NULL)))
        return refusal("capture: domain %s has no device %d", domain, (int)device);
    t->snap = (uint32_t)snap;
    tap_join(t, &g->lane.taps);
    return NULL;
}

json_t *capture_verb(struct worker *w, json_t *request, struct tap **out)
{
    struct tap *t;
    json_t *wrong;

    *out = NULL;
    if (w->captures == CAPTURE_MOST)
        return refusal("capture: there are %u captures already, and no more at a time", CAPTURE_MOST);
    if (!(t = tap_new()))
        return refusal("capture: out of memory");
    if ((wrong = read_request(w, request, t))) {
        tap_free(t);
        return wrong;
    }
    w->captures++;
    *out = t;
    return json_pack("{s:b, s:I}", "ok", 1, "snap", (json_int_t)t->snap);
}

void capture_over(struct worker *w, struct tap *t)
{
    if (t)
        w->captures--;
    tap_free(t);
}
