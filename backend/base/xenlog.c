/* SPDX-License-Identifier: MIT */
/* xenlog.c: see xenlog.h. */
#include "xenlog.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <xentoollog.h>

#include "journal.h"

static struct {
    struct xentoollog_logger logger;
    struct journal_guest journal;
    bool begun;
} own;

__attribute__((format(printf, 5, 0)))
static void message(struct xentoollog_logger *logger, xentoollog_level level, int err, const char *context, const char *format, va_list args)
{
    char text[200];

    (void)logger;
    (void)level;
    if (!journal_shows(JOURNAL_DEBUG))
        return;
    vsnprintf(text, sizeof text, format, args);
    journal_guest(&own.journal, JOURNAL_DEBUG, "%s: %s%s%s", context ? context : "Xen's library", text, err > 0 ? ": " : "",
                  err > 0 ? strerror(err) : "");
}

static void progress(struct xentoollog_logger *logger, const char *context, const char *doing, int percent, unsigned long done,
                     unsigned long total)
{
    (void)logger;
    (void)context;
    (void)doing;
    (void)percent;
    (void)done;
    (void)total;
}

static void destroy(struct xentoollog_logger *logger)
{
    (void)logger;
}

struct xentoollog_logger *xenlog(void)
{
    if (!own.begun) {
        own.logger = (struct xentoollog_logger){ .vmessage = message, .progress = progress, .destroy = destroy };
        journal_nobody_init(&own.journal);
        own.begun = true;
    }
    return &own.logger;
}
