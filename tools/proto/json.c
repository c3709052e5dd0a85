/* SPDX-License-Identifier: MIT */
/* json.c: see json.h. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parser takes memory for each level, so the levels are counted before it sees any. */
static bool is_deeper(const char *text, size_t len, unsigned depth)
{
    bool quoted = false;
    unsigned level = 0;

    for (size_t i = 0; i < len; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = false;
        } else if (text[i] == '"') {
            quoted = true;
        } else if (text[i] == '{' || text[i] == '[') {
            if (++level > depth)
                return true;
        } else if ((text[i] == '}' || text[i] == ']') && level) {
            level--;
        }
    }
    return false;
}

json_t *json_bounded(const void *text, size_t len, unsigned depth, char why[JSON_WHY])
{
    json_error_t error;
    json_t *value;

    if (is_deeper(text, len, depth)) {
        snprintf(why, JSON_WHY, "JSON of more than %u levels", depth);
        return NULL;
    }
    if (!(value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error))) {
        snprintf(why, JSON_WHY, "no JSON: %.140s", error.text);
        return NULL;
    }
    if (json_is_object(value))
        return value;
    snprintf(why, JSON_WHY, "JSON that is no object");
    json_decref(value);
    return NULL;
}

bool json_knows(const json_t *object, const char *const *names, char why[JSON_WHY])
{
    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        const char *key = json_object_iter_key(at);
        const char *const *name = names;

        while (*name && strcmp(*name, key) != 0)
            name++;
        if (!*name) {
            snprintf(why, JSON_WHY, "the unknown word '%.60s'", key);
            return false;
        }
    }
    return true;
}

json_t *json_words(const char *text)
{
    json_t *value = json_string(text);
    char *ascii = value ? NULL : strdup(text);

    if (!ascii)
        return value;
    for (char *c = ascii; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = json_string(ascii);
    free(ascii);
    return value;
}

json_t *json_from_bytes(const char *text)
{
    size_t len = strlen(text);
    json_t *value = json_string(text), *object;
    char *hex;

    if (value)
        return value;
    if (!(hex = malloc(2 * len + 1)))
        return NULL;
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)text[i]);
    object = json_pack("{s:s}", "hex", hex);
    free(hex);
    return object;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *from_hex(const char *hex)
{
    size_t len = strlen(hex);
    char *text = len % 2 ? NULL : malloc(len / 2 + 1);

    if (!text)
        return NULL;
    for (size_t i = 0; i < len; i += 2) {
        int high = digit(hex[i]), low = digit(hex[i + 1]);

        if (high < 0 || low < 0 || !(high | low)) {
            free(text);
            return NULL;
        }
        text[i / 2] = (char)(high << 4 | low);
    }
    text[len / 2] = '\0';
    return text;
}

char *json_to_bytes(const json_t *value)
{
    const json_t *hex = json_object_get(value, "hex");

    if (json_is_string(value))
        return strdup(json_string_value(value));
    return json_is_string(hex) && json_object_size(value) == 1 ? from_hex(json_string_value(hex)) : NULL;
}
