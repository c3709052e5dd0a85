/* SPDX-License-Identifier: MIT */
/* ask_of.c: see ask_of.h. */
#include "ask_of.h"

#include <stdio.h>

bool ask_of_domain(const json_t *request, char *text, size_t size)
{
    const json_t *domain = json_object_get(request, "domain");

    if (json_is_string(domain))
        snprintf(text, size, "%s", json_string_value(domain));
    else if (json_is_integer(domain))
        snprintf(text, size, "%lld", (long long)json_integer_value(domain));
    else
        return false;
    return *text != '\0';
}

bool ask_of_number(const json_t *request, const char *key, int64_t min, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(request, key);

    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return false;
    *out = json_integer_value(value);
    return true;
}
