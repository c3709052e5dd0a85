/* SPDX-License-Identifier: MIT */
/* paths.c: see paths.h. */
#include "paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

static void back_path(char *out, const struct device_id *id)
{
    snprintf(out, PATHS_MAX, "/local/domain/%u/backend/vsock/%u/%u", id->back, id->front, id->number);
}

void paths_front_own(char *out, uint32_t number)
{
    snprintf(out, PATHS_MAX, "device/vsock/%u", number);
}

static void rest_of(struct paths *out, const struct device_id *id)
{
    back_path(out->back, id);
    snprintf(out->error, PATHS_MAX, "/local/domain/%u/error/backend/vsock/%u/%u", id->back, id->front, id->number);
}

void paths_of(struct paths *out, const struct device_id *id)
{
    snprintf(out->front, PATHS_MAX, "/local/domain/%u/device/vsock/%u", id->front, id->number);
    rest_of(out, id);
}

const char *paths_join(char *out, const char *dir, const char *leaf)
{
    snprintf(out, PATHS_MAX, "%s/%s", dir, leaf);
    return out;
}

/* The number before 'end' at *p, and *p behind that. */
static int take(const char **p, char end, uint32_t limit, uint32_t *out)
{
    const char *stop = end ? strchr(*p, end) : *p + strlen(*p);
    char digits[12];
    size_t len;

    if (!stop || (len = (size_t)(stop - *p)) >= sizeof digits)
        return -EINVAL;
    memcpy(digits, *p, len);
    digits[len] = '\0';
    *p = stop + (end != '\0');
    return parse_u32("", digits, 0, limit - 1, out, NULL) ? -EINVAL : 0;
}

static int take_word(const char **p, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*p, word, len) != 0)
        return -EINVAL;
    *p += len;
    return 0;
}

int paths_parse_back(const char *path, struct device_id *out)
{
    struct device_id id;

    if (take_word(&path, "/local/domain/") || take(&path, '/', PATHS_DOMID, &id.back) ||
        take_word(&path, "backend/vsock/") || take(&path, '/', PATHS_DOMID, &id.front) ||
        take(&path, '\0', PATHS_DEVICES, &id.number))
        return -EINVAL;
    *out = id;
    return 0;
}

int paths_of_guest(struct paths *out, uint32_t number, const char *back, uint32_t back_id, struct device_id *id, char *why)
{
    struct device_id found;

    if (paths_parse_back(back, &found) || found.back != back_id || found.number != number) {
        if (why) {
            char shown[65];

            parse_show(back, shown, sizeof shown);
            snprintf(why, PARSE_WHY, "backend: \"%s\" is not the path of device %u in backend domain %u", shown, number, back_id);
        }
        return -EINVAL;
    }
    paths_front_own(out->front, number);
    rest_of(out, &found);
    if (id)
        *id = found;
    return 0;
}
