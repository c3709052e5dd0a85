/* SPDX-License-Identifier: MIT */
/* parse.c: see parse.h.  No strtoul(): it takes signs, spaces, octal and what follows. */
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vsockif.h"

#define SHOWN 33                        /* bytes of the peer's words in a message, with their end */
#define MAX_VERSIONS 16
#define MAX_FEATURES 16
#define MAX_FEATURE  32
#define MAX_NAME 128

void parse_show(const char *text, char *out, size_t size)
{
    size_t i;

    for (i = 0; i + 1 < size && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];

        out[i] = c < 0x20 || c > 0x7e || c == '"' ? '?' : (char)c;
    }
    out[i] = '\0';
}

static int refuse_number(const char *node, const char *text, uint64_t min, uint64_t max, char *why, int err)
{
    char shown[SHOWN];

    if (why) {
        parse_show(text, shown, sizeof shown);
        snprintf(why, PARSE_WHY, "%.48s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, node, shown, min, max);
    }
    return err;
}

/* Digits from *text on into *out, and *text behind them. */
static int take_digits(const char **text, uint64_t *out)
{
    const char *p = *text;
    uint64_t value = 0;

    if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return -ERANGE;
    *text = p;
    *out = value;
    return 0;
}

int parse_u64(const char *node, const char *text, uint64_t min, uint64_t max, uint64_t *out, char *why)
{
    const char *p = text;
    uint64_t value;
    int err = take_digits(&p, &value);

    if (!err && *p)
        err = -EINVAL;
    if (!err && (value < min || value > max))
        err = -ERANGE;
    if (err)
        return refuse_number(node, text, min, max, why, err);
    *out = value;
    return 0;
}

int parse_u32(const char *node, const char *text, uint32_t min, uint32_t max, uint32_t *out, char *why)
{
    uint64_t value;
    int err = parse_u64(node, text, min, max, &value, why);

    if (!err)
        *out = (uint32_t)value;
    return err;
}

int parse_state(const char *text, uint8_t *out, char *why)
{
    uint32_t state;
    int err = parse_u32("state", text, VSOCKIF_INITIALISING, VSOCKIF_CLOSED, &state, why);

    if (!err)
        *out = (uint8_t)state;
    return err;
}

/* -EINVAL, and why if that is wanted.  what: "words such as …". */
static int no_list(const char *node, const char *text, int most, const char *what, char *why)
{
    char shown[SHOWN];

    if (why) {
        parse_show(text, shown, sizeof shown);
        snprintf(why, PARSE_WHY, "%.48s: \"%s\" is not a list of at most %d %s", node, shown, most, what);
    }
    return -EINVAL;
}

int parse_versions(const char *node, const char *text, uint32_t *out, char *why)
{
    const char *p = text;
    uint32_t set = 0;

    for (unsigned n = 0; n < MAX_VERSIONS; n++) {
        uint64_t version;

        if (take_digits(&p, &version) || version < 1 || version > UINT32_MAX)
            break;
        if (version <= PARSE_VERSIONS)
            set |= 1u << version;
        if (!*p) {
            *out = set;
            return 0;
        }
        if (*p++ != ',')
            break;
    }
    return no_list(node, text, MAX_VERSIONS, "versions such as \"1,2\"", why);
}

static uint32_t feature_of(const char *word, size_t len)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } features[] = {
#define X(name, bit, word) { word, VSOCKIF_FEATURE_##name },
        VSOCKIF_FEATURES(X)
#undef X
    };

    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (strlen(features[i].word) == len && !memcmp(features[i].word, word, len))
            return features[i].bit;
    return 0;
}

int parse_features(const char *node, const char *text, uint32_t *out, char *why)
{
    const char *p = text;
    uint32_t set = 0;

    if (!*p) {
        *out = 0;
        return 0;
    }
    for (unsigned n = 0; n < MAX_FEATURES; n++) {
        size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

        if (len < 1 || len > MAX_FEATURE)
            break;
        set |= feature_of(p, len);
        p += len;
        if (!*p) {
            *out = set;
            return 0;
        }
        if (*p++ != ',')
            break;
    }
    return no_list(node, text, MAX_FEATURES, "words such as \"seqpacket\"", why);
}

uint32_t parse_common_version(uint32_t ours, uint32_t theirs)
{
    uint32_t both = ours & theirs & ~1u;

    return both ? 31u - (uint32_t)__builtin_clz(both) : 0;
}

int parse_domain_name(const char *text, char *why)
{
    size_t len = strnlen(text, MAX_NAME + 1);
    bool good = len >= 1 && len <= MAX_NAME && text[0] != ' ' && text[len - 1] != ' ';

    for (size_t i = 0; good && i < len; i++)
        good = text[i] >= 0x20 && text[i] <= 0x7e && text[i] != '/';
    if (good)
        return 0;
    if (why) {
        char shown[SHOWN];

        parse_show(text, shown, sizeof shown);
        snprintf(why, PARSE_WHY, "name: \"%s\" is not 1 to %d printable characters without a '/'", shown, MAX_NAME);
    }
    return -EINVAL;
}
