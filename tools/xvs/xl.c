/* SPDX-License-Identifier: MIT */
/* xl.c: see xl.h.  Its tables are read from the right, for a domain's name may be anything. */
#include "xl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "ask.h"
#include "find.h"
#include "options.h"
#include "say.h"
#include "spawned.h"

#define OUTPUT  65536u
#define COLUMNS 6

int xl_domid(const char *guest, unsigned *domid)
{
    const json_t *record;
    json_t *answer;
    int status;

    if (common.which == SIDE_GUEST || (common.which == SIDE_GUESS && !is_dom0()))
        return fail_usage("only dom0's toolstack can give a guest something; this is none");
    if ((status = ask(json_pack("{s:s}", "verb", "ls"), &answer)))
        return status;
    if (!(record = find_record(answer, guest, common.device)))
        status = fail(EXIT_ABSENT, "there is no guest %s; see 'xvs ls'", guest);
    else
        *domid = (unsigned)json_integer_value(json_object_get(record, "domid"));
    json_decref(answer);
    return status;
}

/* xl and its words: its output, to be freed; NULL after a message, with the exit status. */
static char *run(struct loop *l, char *const argv[], int *status)
{
    char *text = malloc(OUTPUT), *last, *end;
    int err = text ? spawned_output(l, argv, text, OUTPUT) : -ENOMEM;

    *status = EXIT_OK;
    if (!err)
        return text;
    if (err == -ENOENT) {
        *status = fail(EXIT_OTHER, "there is no xl in PATH, and only Xen's toolstack can give a guest something");
    } else if (err < 0) {
        *status = err == -EINTR ? EXIT_OTHER : fail(EXIT_OTHER, "xl: %s", errno_words(err));
    } else {
        /* Its last line says most. */
        for (end = text + strlen(text); end > text && end[-1] == '\n'; end--)
            end[-1] = '\0';
        last = strrchr(text, '\n');
        *status = fail(EXIT_OTHER, "xl %s failed: %.300s", argv[1], last ? last + 1 : text[0] ? text : "it does not say why");
    }
    free(text);
    return NULL;
}

/* The same of one that has a domain alone behind it. */
static char *run_for(struct loop *l, const char *verb, unsigned domid, int *status)
{
    char number[16], *argv[] = { (char *)(uintptr_t)"xl", (char *)(uintptr_t)verb, number, NULL };

    snprintf(number, sizeof number, "%u", domid);
    return run(l, argv, status);
}

/* The columns of a line from the right, in their order; false if there are not so many. */
static bool columns(char *line, char *word[], size_t count)
{
    char *end = line + strlen(line);

    while (count) {
        while (end > line && end[-1] == ' ')
            end--;
        *end = '\0';
        while (end > line && end[-1] != ' ')
            end--;
        if (!*end)
            return false;
        word[--count] = end;
    }
    return true;
}

/* Those behind the head. */
static char *next_line(char **at)
{
    char *line;

    while ((line = strsep(at, "\n")))
        if (*line)
            return line;
    return NULL;
}

int xl_vcpus(struct loop *l, unsigned domid, unsigned *online, unsigned *most)
{
    char *text, *at, *line;
    int status;

    if (!(text = run_for(l, "vcpu-list", domid, &status)))
        return status;
    at = text;
    *online = *most = 0;
    next_line(&at);
    while ((line = next_line(&at))) {
        /* "-" in place of a processor and "--p": it does not run. */
        ++*most;
        *online += !strstr(line, " --p ");
    }
    free(text);
    return *most ? EXIT_OK : fail(EXIT_OTHER, "xl vcpu-list says nothing of domain %u", domid);
}

int xl_set_vcpus(struct loop *l, unsigned domid, unsigned count, bool overcommits)
{
    char number[16], wanted[16];
    char *ignore = (char *)(uintptr_t)"--ignore-host", *xl = (char *)(uintptr_t)"xl", *verb = (char *)(uintptr_t)"vcpu-set";
    char *plain[] = { xl, verb, number, wanted, NULL };
    char *overcommitted[] = { xl, verb, ignore, number, wanted, NULL };     /* it takes no option behind its words */
    int status;

    snprintf(number, sizeof number, "%u", domid);
    snprintf(wanted, sizeof wanted, "%u", count);
    free(run(l, overcommits ? overcommitted : plain, &status));
    return status;
}

int xl_memory(struct loop *l, unsigned domid, uint64_t *mib)
{
    char *text, *at, *line, *word[COLUMNS - 1];
    bool good;
    int status;

    if (!(text = run_for(l, "list", domid, &status)))
        return status;
    at = text;
    next_line(&at);
    good = (line = next_line(&at)) && columns(line, word, COLUMNS - 1) && parse_number(word[1], UINT32_MAX, mib);
    free(text);
    return good ? EXIT_OK : fail(EXIT_OTHER, "xl list says nothing of domain %u", domid);
}

int xl_set_memory(struct loop *l, unsigned domid, uint64_t mib)
{
    char number[16], wanted[32];
    char *argv[] = { (char *)(uintptr_t)"xl", (char *)(uintptr_t)"mem-set", number, wanted, NULL };
    int status;

    snprintf(number, sizeof number, "%u", domid);
    snprintf(wanted, sizeof wanted, "%llum", (unsigned long long)mib);
    free(run(l, argv, &status));
    return status;
}
