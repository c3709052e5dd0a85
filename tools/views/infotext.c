/* SPDX-License-Identifier: MIT */
/* infotext.c: see infotext.h. */
#include "infotext.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "say.h"

#define MOST 1000u              /* lines of a kind; the others are counted */

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

/* The name of what follows stands in its first line alone. */
static void head(FILE *to, const char **name)
{
    fprintf(to, "  %-13s", *name);
    *name = "";
}

static void line(FILE *to, const char *name, const char *text)
{
    if (!*text)
        return;
    head(to, &name);
    say_clean(to, text);
    putc('\n', to);
}

static void more(FILE *to, size_t count)
{
    if (count > MOST)
        fprintf(to, "  %-13s…and %zu more\n", "", count - MOST);
}

static void system_line(FILE *to, const json_t *o)
{
    const char *name = text_of(o, "pretty-name"), *kernel = text_of(o, "kernel-release"), *machine = text_of(o, "machine");
    const char *comma = *name && *kernel ? ", " : "";
    char *all;

    if (!*name)
        name = text_of(o, "name");
    if (asprintf(&all, "%s%s%s%s%s", name, comma, kernel, *machine ? " " : "", machine) < 0)
        return;
    line(to, "system", all);
    free(all);
}

static void zone_line(FILE *to, const json_t *o)
{
    json_int_t offset = json_integer_value(json_object_get(o, "offset")) / 60, size = offset < 0 ? -offset : offset;
    const char *name = text_of(o, "zone");
    char all[128];

    if (!json_is_integer(json_object_get(o, "offset")) || size > 24 * 60)
        return;
    snprintf(all, sizeof all, "UTC%c%02d:%02d%s%.80s", offset < 0 ? '-' : '+', (int)(size / 60), (int)(size % 60), *name ? ", " : "", name);
    line(to, "time zone", all);
}

static void vcpus_line(FILE *to, const json_t *all)
{
    size_t on = 0, i;
    json_t *one;
    char text[80];

    json_array_foreach(all, i, one)
        on += json_is_true(json_object_get(one, "online"));
    if (!json_array_size(all))
        return;
    snprintf(text, sizeof text, "%zu on line of %zu", on, json_array_size(all));
    line(to, "processors", text);
}

static void interface_line(FILE *to, const char **name, const json_t *one)
{
    const json_t *addresses = json_object_get(one, "ip-addresses");
    const char *hardware = text_of(one, "hardware-address");
    json_t *address;
    size_t i;

    head(to, name);
    say_clean(to, text_of(one, "name"));
    if (*hardware) {
        fputs("  ", to);
        say_clean(to, hardware);
    }
    json_array_foreach(addresses, i, address) {
        json_int_t prefix = json_integer_value(json_object_get(address, "prefix"));

        if (i >= MOST)
            break;
        fputs("  ", to);
        say_clean(to, text_of(address, "ip-address"));
        if (json_is_integer(json_object_get(address, "prefix")))
            fprintf(to, "/%" JSON_INTEGER_FORMAT, prefix);
    }
    putc('\n', to);
}

static void user_line(FILE *to, const char **name, const json_t *one)
{
    double login = json_number_value(json_object_get(one, "login-time"));
    time_t when = login > 0 && login < 1e11 ? (time_t)login : 0;
    char text[64] = "";
    struct tm tm;

    head(to, name);
    say_clean(to, text_of(one, "user"));
    if (when && localtime_r(&when, &tm) && strftime(text, sizeof text, "  since %Y-%m-%d %H:%M", &tm))
        fputs(text, to);
    putc('\n', to);
}

static void file_system_line(FILE *to, const char **name, const json_t *one)
{
    const json_t *used = json_object_get(one, "used-bytes"), *total = json_object_get(one, "total-bytes");
    char had[SIZE_TEXT], has[SIZE_TEXT];

    head(to, name);
    say_clean(to, text_of(one, "mountpoint"));
    fputs("  ", to);
    say_clean(to, text_of(one, "type"));
    if (json_is_integer(used) && json_is_integer(total))
        fprintf(to, "  %s used of %s", size_text(had, (uint64_t)json_integer_value(used)), size_text(has, (uint64_t)json_integer_value(total)));
    fputs("  on ", to);
    say_clean(to, text_of(one, "name"));
    putc('\n', to);
}

static void agent_line(FILE *to, const json_t *o)
{
    char all[128];

    if (!*text_of(o, "version"))
        return;
    snprintf(all, sizeof all, "qemu-guest-agent %.80s", text_of(o, "version"));
    line(to, "agent", all);
}

static void each(FILE *to, const char *name, const json_t *all, void (*print)(FILE *to, const char **name, const json_t *one))
{
    json_t *one;
    size_t i;

    json_array_foreach(all, i, one)
        if (i < MOST)
            print(to, &name, one);
    more(to, json_array_size(all));
}

void infotext_print(FILE *to, const char *guest, const json_t *info)
{
    say_clean(to, guest);
    putc('\n', to);
    system_line(to, json_object_get(info, "system"));
    line(to, "host name", text_of(json_object_get(info, "host_name"), "host-name"));
    zone_line(to, json_object_get(info, "time_zone"));
    vcpus_line(to, json_object_get(info, "vcpus"));
    each(to, "addresses", json_object_get(info, "interfaces"), interface_line);
    each(to, "users", json_object_get(info, "users"), user_line);
    each(to, "file systems", json_object_get(info, "file_systems"), file_system_line);
    agent_line(to, json_object_get(info, "agent"));
}
