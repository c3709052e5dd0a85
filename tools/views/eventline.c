/* SPDX-License-Identifier: MIT */
/* eventline.c: see eventline.h. */
#include "eventline.h"

#include <string.h>
#include <time.h>

#include "say.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

static long long number_of(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

bool eventline_is_event(const json_t *event)
{
    return json_is_object(event) && json_is_string(json_object_get(event, "time")) && json_is_integer(json_object_get(event, "us")) &&
           number_of(event, "us") >= 0 && json_is_string(json_object_get(event, "event"));
}

/* Green for what comes, yellow for what is refused or ends, red for what is wrong. */
static const char *colour_of(const char *word)
{
    static const struct { const char *word, *colour; } colours[] = {
        { "attach", "32" }, { "connect", "32" }, { "open", "32" }, { "refuse", "33" }, { "reset", "33" }, { "delay", "33" },
        { "reject", "31" }, { "storm", "31" }, { "lost", "31" }
    };

    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
        if (!strcmp(word, colours[i].word))
            return colours[i].colour;
    return "0";
}

static void print_padded(FILE *to, const char *text, int width)
{
    say_clean(to, text);
    fprintf(to, "%*s ", width > (int)strlen(text) ? width - (int)strlen(text) : 0, "");
}

static void print_guest(FILE *to, const json_t *event)
{
    const char *name = text_of(event, "guest");
    char words[300];

    if (number_of(event, "device"))
        snprintf(words, sizeof words, "%.256s:%lld", name, number_of(event, "device"));
    else
        snprintf(words, sizeof words, "%.256s", *name ? name : "-");
    print_padded(to, words, 15);
}

static void print_address(FILE *to, const json_t *address)
{
    const json_t *port = json_object_get(address, "port");

    fprintf(to, "%lld:", number_of(address, "cid"));
    if (port)
        fprintf(to, "%lld", (long long)json_integer_value(port));
    else
        putc('*', to);
}

void eventline_print(FILE *to, const json_t *event, bool colour)
{
    const char *word = text_of(event, "event"), *by = text_of(event, "by"), *rule = text_of(event, "rule");
    const json_t *from = json_object_get(event, "from");
    time_t seconds = (time_t)(number_of(event, "us") / 1000000);
    char text[32];
    struct tm tm;

    if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof text, "%H:%M:%S", &tm))
        snprintf(text, sizeof text, "?");
    fprintf(to, "%s.%03lld ", text, number_of(event, "us") / 1000 % 1000);
    print_guest(to, event);
    if (colour)
        fprintf(to, "\033[%sm", colour_of(word));
    print_padded(to, word, 10);
    if (colour)
        fputs("\033[0m", to);
    if (from) {
        print_address(to, from);
        fputs(" -> ", to);
        print_address(to, json_object_get(event, "to"));
        putc(' ', to);
    }
    if (*by) {
        fputs("by the ", to);
        say_clean(to, by);
        fputs(": ", to);
    }
    say_clean(to, text_of(event, "text"));
    if (*rule) {
        fputs(": ", to);
        say_clean(to, rule);
    }
    putc('\n', to);
}
