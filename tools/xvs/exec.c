/* SPDX-License-Identifier: MIT */
/* exec.c: xvs exec and xvs shell, a command in a guest: the command lines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "remote.h"
#include "say.h"
#include "verb.h"

static const char help_exec[] =
    "usage: xvs exec [OPTION...] GUEST [--] COMMAND [ARGUMENT...]\n"
    "Runs COMMAND in a guest where xvs-agent runs.  Standard input, output and error are the command's, and\n"
    "its exit status is the one of this command.  If this command is killed, the other one is.\n"
    "\n"
    "  -t, --tty             with a terminal; -i is the default and may be written: -it\n"
    "  -n, --no-stdin        the command reads from /dev/null, and nothing is read here\n"
    "  -u, --user USER       as this user of the guest, name or number (default: whom the agent runs as, root)\n"
    "  -w, --workdir DIR     in this directory (default: the user's)\n"
    "  -e, --env NAME=VALUE  with this variable, or NAME with our value; may be repeated\n"
    "      --detach          leaves the command alone as soon as it runs: no input, and its output is lost\n"
    "      --timeout SECONDS the command gets SIGTERM then, SIGKILL 5 s later; exit status 124\n"
    "      --wait SECONDS    time limit for connecting (default 5)\n"
    "      --retry SECONDS   repeat failed attempts to connect for so long\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "In a terminal ~. at the beginning of a line leaves.  SIGINT, SIGTERM, SIGQUIT, SIGUSR1 and SIGUSR2 are passed\n"
    "on; the third of the first three ends this command.\n"
    "\n"
    "Example: xvs exec web1 -- uname -a\n"
    "\n"
    "Exit status: the command's; 128 + N if signal N killed it, 124 its time was over, 125 it is not the command's,\n"
    "126 the command cannot be run, 127 there is none.  Manual page: xvs-exec(1).\n";

static const char help_shell[] =
    "usage: xvs shell [OPTION...] GUEST [-- ARGUMENT...]\n"
    "A login shell in a guest where xvs-agent runs: with a terminal if this is one, else with our standard input.\n"
    "\n"
    "  -u, --user USER       whose (default: whom the agent runs as, root)\n"
    "  -w, --workdir DIR, -e, --env NAME=VALUE, --timeout, --wait, --retry SECONDS: see xvs exec --help\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "~. at the beginning of a line leaves.\n"
    "\n"
    "Example: xvs shell -u www web1\n"
    "\n"
    "Exit status: as xvs exec.\n";

enum { OPTION_DETACH = OPTION_FIRST, OPTION_TIMEOUT, OPTION_WAIT, OPTION_RETRY };

struct line {
    struct remote remote;
    size_t env_count;
    bool interactive, no_stdin, tty;
};

static bool add_env(struct line *l, const char *word)
{
    char **more = realloc(l->remote.start.env, (l->env_count + 2) * sizeof *more), *text = NULL;
    const char *value = strchr(word, '=') ? NULL : getenv(word);

    if (more)
        l->remote.start.env = more;
    if (!*word || *word == '=') {
        fail_usage("-e: '%s' has no name", word);
        return false;
    }
    if (!strchr(word, '=') && !value)
        return true;            /* we have none of that name, and neither shall the command */
    if (!more || asprintf(&text, "%s%s%s", word, value ? "=" : "", value ? value : "") < 0) {
        fail(REMOTE_FAILED, "out of memory");
        return false;
    }
    more[l->env_count++] = text;
    more[l->env_count] = NULL;
    return true;
}

static bool seconds(const char *option, const char *text, int64_t *ns)
{
    if (parse_seconds(text, ns) && *ns > 0)
        return true;
    fail_usage("%s: '%s' is no number of seconds", option, text);
    return false;
}

static bool take_option(struct line *l, int option)
{
    struct start *s = &l->remote.start;
    int64_t ns;

    switch (option) {
    case 'i':
        l->interactive = true;
        return true;
    case 't':
        l->tty = true;
        return true;
    case 'n':
        l->no_stdin = true;
        return true;
    case 'u':
        s->user = optarg;
        return true;
    case 'w':
        s->cwd = optarg;
        return true;
    case 'e':
        return add_env(l, optarg);
    case OPTION_DETACH:
        s->detach = true;
        return true;
    case OPTION_TIMEOUT:
        if (!seconds("--timeout", optarg, &ns))
            return false;
        s->timeout = (uint32_t)((ns + 999999) / 1000000);
        return true;
    case OPTION_WAIT:
        return seconds("--wait", optarg, &l->remote.patience);
    default:
        return seconds("--retry", optarg, &l->remote.retry);
    }
}

/* What fits together, and what follows from it. */
static bool settle(struct line *l, bool shell)
{
    struct start *s = &l->remote.start;

    if (s->detach && (l->tty || l->interactive)) {
        fail_usage("--detach leaves the command alone: neither -t nor -i belongs to it");
        return false;
    }
    if (l->no_stdin && l->interactive) {
        fail_usage("-i and -n exclude each other");
        return false;
    }
    if (l->tty && l->interactive && !isatty(STDIN_FILENO)) {
        fail_usage("-it: standard input is no terminal; without -i the command has one all the same");
        return false;
    }
    s->shell = shell;
    s->tty = shell ? isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) : l->tty;
    s->has_stdin = !l->no_stdin && !s->detach;
    if (s->tty)
        s->term = getenv("TERM");
    return true;
}

/* GUEST [--] COMMAND… */
static bool take_words(struct line *l, char **words, bool shell)
{
    if (!*words) {
        fail_usage("which guest?");
        return false;
    }
    l->remote.peer = *words++;
    if (*words && strcmp(*words, "--") == 0)
        words++;
    if (!*words && !shell) {
        fail_usage("a command is needed behind the guest's name");
        return false;
    }
    l->remote.start.argv = words;
    return true;
}

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "interactive", no_argument, NULL, 'i' },      { "tty", no_argument, NULL, 't' },
        { "no-stdin", no_argument, NULL, 'n' },         { "user", required_argument, NULL, 'u' },
        { "workdir", required_argument, NULL, 'w' },    { "env", required_argument, NULL, 'e' },
        { "detach", no_argument, NULL, OPTION_DETACH }, { "timeout", required_argument, NULL, OPTION_TIMEOUT },
        { "wait", required_argument, NULL, OPTION_WAIT }, { "retry", required_argument, NULL, OPTION_RETRY },
        COMMON_LONG
    };
    struct line l = { .remote = { .patience = 5 * SECOND } };
    bool shell = verb == &verb_shell;
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, shell ? "+:u:w:e:" COMMON_SHORT : "+:itnu:w:e:" COMMON_SHORT, options, verb->help,
                                  &status)) != -1 && option != OPTIONS_STOP && take_option(&l, option))
        ;
    if (option == -1)
        status = take_words(&l, argv + optind, shell) && settle(&l, shell) ? remote_run(&l.remote) : REMOTE_FAILED;
    else if (option != OPTIONS_STOP || status)
        status = REMOTE_FAILED; /* a message was given, and 2 would be the command's */
    for (size_t i = 0; i < l.env_count; i++)
        free(l.remote.start.env[i]);
    free(l.remote.start.env);
    return status;
}

const struct verb verb_exec = { "exec", "runs a command in a guest", help_exec, run };
const struct verb verb_shell = { "shell", "a login shell in a guest", help_shell, run };
