/* SPDX-License-Identifier: MIT */
/* cp.c: xvs cp, files and directories between here and guests, and between guests: the command line and what is said of it.  What happens
 * is in copying.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copying.h"
#include "say.h"
#include "verb.h"

static const char help[] =
    "usage: xvs cp [OPTION...] SOURCE... DESTINATION\n"
    "Copies files and directories from and to guests in which xvs-agent runs.  SOURCE and DESTINATION are PATH, here, or\n"
    "GUEST:PATH; - is a tar archive on standard input or output.  A name with a colon is written ./a:b.\n"
    "\n"
    "Where a source lands is as with docker cp: DESTINATION is its new name, unless that is a directory; then it lands in\n"
    "it.  Of SOURCE/. the content alone is copied.  Directories need no -r.  Links are kept.  Modes and times are kept.\n"
    "\n"
    "  -r, --recursive       (directories are copied anyway)\n"
    "  -a, --archive         owner and group are kept, too, by number\n"
    "      --preserve        -a, and set-user, set-group and sticky bits\n"
    "  -L, --dereference     copy what links point to\n"
    "  -p, --parents         make the directories that are missing at DESTINATION\n"
    "      --uid N, --gid N  owner and group of all that is copied\n"
    "      --mode OCTAL      mode of all files that are copied\n"
    "  -z, --compress        on the way (zstd)\n"
    "      --no-sync         do not wait until all is on the disk\n"
    "      --wait SECONDS    time limit for connecting (default 5)\n"
    "      --retry SECONDS   repeat failed attempts to connect for so long\n"
    "  -j, --json            print one JSON object at the end\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: a directory to guest web1, a file out of it, and a tree from there to guest db1\n"
    "  xvs cp site/. web1:/srv/www\n"
    "  xvs cp web1:/var/log/syslog .\n"
    "  xvs cp -a web1:/srv/data db1:/srv/\n"
    "\n"
    "Exit status: 0 all was copied, 1 something was not (it was named), 2 usage, 3 no guest or device, 4 refused,\n"
    "5 timed out, 6 connection broken, 7 error on standard input or output.  Manual page: xvs-cp(1).\n";

enum { OPTION_PRESERVE = OPTION_FIRST, OPTION_UID, OPTION_GID, OPTION_MODE, OPTION_NO_SYNC, OPTION_WAIT, OPTION_RETRY };

static bool id(const char *option, const char *text, bool *has, uint32_t *number)
{
    uint64_t value;

    *has = parse_number(text, UINT32_MAX - 1, &value);
    if (!*has)
        fail_usage("--%s: '%s' is no number", option, text);
    else
        *number = (uint32_t)value;
    return *has;
}

static bool mode(struct unpack_options *o)
{
    char *end;
    unsigned long value = strtoul(optarg, &end, 8);

    if (!*optarg || strspn(optarg, "01234567") != strlen(optarg) || *end || value > 07777) {
        fail_usage("--mode: '%s' is no mode in octal digits", optarg);
        return false;
    }
    o->mode = (mode_t)value;
    return o->has_mode = true;
}

static bool seconds(const char *option, int64_t *ns)
{
    if (parse_seconds(optarg, ns))
        return true;
    fail_usage("%s: '%s' is no number of seconds", option, optarg);
    return false;
}

static bool take_option(struct copying *c, int option)
{
    struct unpack_options *to = &c->request.unpack;

    switch (option) {
    case 'r':
        return true;
    case OPTION_PRESERVE:
        to->special = true;
        return to->owner = true;
    case 'a':
        return to->owner = true;
    case 'L':
        return c->request.pack.follow = true;
    case 'p':
        return c->request.parents = true;
    case 'z':
        return c->request.pack.zstd = to->zstd = true;
    case OPTION_UID:
        return id("uid", optarg, &to->has_uid, &to->uid);
    case OPTION_GID:
        return id("gid", optarg, &to->has_gid, &to->gid);
    case OPTION_MODE:
        return mode(to);
    case OPTION_NO_SYNC:
        return to->quick = true;
    case OPTION_WAIT:
        return seconds("--wait", &c->patience);
    case OPTION_RETRY:
        return seconds("--retry", &c->retry);
    default:
        return c->json = true;
    }
}

static int read_places(struct copying *c, int count, char **words)
{
    if (count < 2)
        return fail_usage("a source and a destination are needed");
    if (!(c->places = calloc((size_t)count, sizeof *c->places)))
        return fail(EXIT_OTHER, "out of memory");
    for (int i = 0; i < count; i++)
        if (place_read(words[i], &c->places[i]))
            return fail_usage("'%s' is neither PATH nor GUEST:PATH", words[i]);
    c->sources = (size_t)count - 1;
    for (size_t i = 0; i < c->sources; i++) {
        if (c->places[i].kind == PLACE_HERE && c->places[c->sources].kind != PLACE_PEER_PATH)
            return fail_usage("'%s' and where it is to go are both here; GUEST: is missing before one of them", c->places[i].path);
        if (c->places[i].kind == PLACE_STREAM && (c->sources > 1 || c->places[c->sources].kind != PLACE_PEER_PATH))
            return fail_usage("- is one source, which goes to GUEST:PATH");
    }
    return EXIT_OK;
}

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "recursive", no_argument, NULL, 'r' },
        { "archive", no_argument, NULL, 'a' },
        { "preserve", no_argument, NULL, OPTION_PRESERVE },
        { "dereference", no_argument, NULL, 'L' },
        { "parents", no_argument, NULL, 'p' },
        { "uid", required_argument, NULL, OPTION_UID },
        { "gid", required_argument, NULL, OPTION_GID },
        { "mode", required_argument, NULL, OPTION_MODE },
        { "compress", no_argument, NULL, 'z' },
        { "no-sync", no_argument, NULL, OPTION_NO_SYNC },
        { "wait", required_argument, NULL, OPTION_WAIT },
        { "retry", required_argument, NULL, OPTION_RETRY },
        { "json", no_argument, NULL, 'j' },
        COMMON_LONG
    };
    struct copying c = { .patience = 5 * SECOND };
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, ":raLpzj" COMMON_SHORT, options, verb->help, &status)) != -1)
        if (option == OPTIONS_STOP || !take_option(&c, option))
            return option == OPTIONS_STOP ? status : EXIT_USAGE;
    if (!(status = read_places(&c, argc - optind, argv + optind)))
        status = copying_run(&c);
    free(c.places);
    return status;
}

const struct verb verb_cp = { "cp", "files and directories from and to guests", help, run };
