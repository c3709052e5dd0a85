/* SPDX-License-Identifier: MIT */
/* parley_line.c: see parley_line.h. */
#include "parley_line.h"

#include "say.h"

static bool take_options(const struct verb *verb, int argc, char **argv, struct parley_line *l, unsigned allowed, int *status)
{
    static const struct option options[] = {
        { "ignore-host", no_argument, NULL, 'i' },
        { "wait", required_argument, NULL, 'w' },    { "retry", required_argument, NULL, 'r' },
        { "timeout", required_argument, NULL, 't' }, { "json", no_argument, NULL, 'j' },
        COMMON_LONG
    };
    bool all = allowed & PARLEY_LINE_IGNORE_HOST;
    int option;

    while ((option = options_next(argc, argv, all ? ":iw:r:t:j" COMMON_SHORT : ":w:r:t:j" COMMON_SHORT, all ? options : options + 1,
                                  verb->help, status)) != -1) {
        int64_t *ns = option == 'w' ? &l->patience : option == 'r' ? &l->retry : &l->timeout;

        if (option == OPTIONS_STOP)
            return false;
        if (option == 'j' || option == 'i') {
            *(option == 'j' ? &l->json : &l->ignores_host) = true;
        } else if (!parse_seconds(optarg, ns) || (!*ns && option != 'r')) {
            *status = fail_usage("'%s' is no number of seconds%s", optarg, option == 'r' ? "" : " above 0");
            return false;
        }
    }
    return true;
}

bool parley_line(const struct verb *verb, int argc, char **argv, struct parley_line *l, int least, int most, unsigned allowed, int *status)
{
    int words;

    l->patience = 5 * SECOND;
    if (!take_options(verb, argc, argv, l, allowed, status))
        return false;
    words = argc - optind - 1;
    if (words < 0 || words < least || words > most) {
        *status = fail_usage(words < 0 ? "which guest?" : words < least ? "which command?" : "there are too many words");
        return false;
    }
    l->guest = argv[optind];
    for (int i = 0; i < words && i < 2; i++)
        l->words[i] = argv[optind + 1 + i];
    return true;
}
