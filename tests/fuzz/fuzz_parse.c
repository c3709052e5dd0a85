/* SPDX-License-Identifier: MIT */
/* fuzz_parse.c: texts from a hostile domain.  What is accepted must be exactly what we would have written ourselves; what
 * is refused leaves the result alone and is described in a short printable sentence. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "paths.h"
#include "vsockif.h"
#include "watches.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(holds) do { if (!(holds)) { fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds); abort(); } } while (0)

static void check_why(const char *why)
{
    size_t len = strnlen(why, PARSE_WHY);

    must(len > 0 && len < PARSE_WHY);
    for (size_t i = 0; i < len; i++)
        must(why[i] >= 0x20 && why[i] <= 0x7e);
}

static void try_numbers(const char *text)
{
    char why[PARSE_WHY] = "", again[32];
    uint64_t wide = 7;
    uint32_t narrow = 7;
    uint8_t state = 7;

    if (!parse_u64("n", text, 0, UINT64_MAX, &wide, why)) {
        snprintf(again, sizeof again, "%" PRIu64, wide);
        must(!strcmp(again, text));
    } else {
        must(wide == 7);
        check_why(why);
    }
    if (!parse_u32("n", text, 3, 4096, &narrow, why))
        must(narrow >= 3 && narrow <= 4096 && narrow == wide);
    else
        must(narrow == 7);
    if (!parse_state(text, &state, why))
        must(state >= 1 && state <= 6 && strlen(text) == 1);
    else
        must(state == 7);
}

static void try_versions(const char *text)
{
    char why[PARSE_WHY] = "";
    uint32_t set = 7;

    if (parse_versions("versions", text, &set, why)) {
        must(set == 7);
        check_why(why);
    } else {
        must(!(set & 1) && strspn(text, "0123456789,") == strlen(text));
        must(parse_common_version(set, set) == (set ? 31u - (uint32_t)__builtin_clz(set) : 0));
    }
}

static void try_features(const char *text)
{
    char why[PARSE_WHY] = "";
    uint32_t set = 7;

    if (parse_features("features", text, &set, why)) {
        must(set == 7);
        check_why(why);
    } else {
        must(!(set & ~(uint32_t)VSOCKIF_FEATURE_SEQPACKET) && (!set || strstr(text, "seqpacket")) && !strstr(text, ",,"));
    }
}

static void try_name(const char *text)
{
    char why[PARSE_WHY] = "";

    if (parse_domain_name(text, why))
        check_why(why);
    else
        must(strlen(text) >= 1 && strlen(text) <= 128 && !strchr(text, '/'));
}

static void try_path(const char *text)
{
    char why[PARSE_WHY] = "";
    struct device_id id;
    struct paths p;

    if (paths_parse_back(text, &id)) {
        must(paths_of_guest(&p, 0, text, 0, NULL, why) != 0);
        check_why(why);
        return;
    }
    paths_of(&p, &id);
    must(!strcmp(p.back, text));
    must(!paths_of_guest(&p, id.number, text, id.back, NULL, NULL));
}

static void try_token(const char *text)
{
    struct watch_key key;
    char again[WATCH_TOKEN];

    if (watch_parse(text, &key))
        return;
    watch_format(again, &key);
    must(!strcmp(again, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(const char *) = { try_numbers, try_versions, try_name, try_path, try_token, try_features };
    char *text;

    if (size < 1)
        return 0;
    text = malloc(size);                        /* of exact size, so that a sanitizer sees a step too far */
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    tries[data[0] % (sizeof tries / sizeof *tries)](text);
    free(text);
    return 0;
}
