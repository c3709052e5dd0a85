/* SPDX-License-Identifier: MIT */
/* say.c: see say.h. */
#include "say.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *program = "xvs", *verb = "";
static bool quiet;

int exit_status(int err)
{
    switch (-err) {
    case 0:
        return EXIT_OK;
    case ECONNREFUSED:
        return EXIT_REFUSED;
    case EACCES:
        return EXIT_DENIED;
    case EKEYREJECTED:
        return EXIT_POLICY;
    case EUSERS:
        return EXIT_BUSY;
    case EHOSTDOWN:
        return EXIT_IDLE;
    case EDQUOT:
        return EXIT_LIMIT;
    case ECHILD:
        return EXIT_FAILED;
    case ETIMEDOUT:
        return EXIT_TIME;
    case ECONNRESET:
    case EPIPE:
    case EPROTO:
    case ENOTCONN:
        return EXIT_RESET;
    case EINVAL:
    case EDESTADDRREQ:
        return EXIT_USAGE;
    case EADDRINUSE:
    case EEXIST:
    case EDEADLK:
    case EIO:
        return EXIT_LOCAL;
    case ENOENT:
    case ENXIO:
    case ENODEV:
    case ENETDOWN:
    case EBUSY:
    case EHOSTUNREACH:
        return EXIT_ABSENT;
    default:
        return EXIT_OTHER;
    }
}

void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

void say_begin(const char *name)
{
    verb = name;
}

void say_program(const char *name)
{
    program = name;
}

void say_quiet(void)
{
    quiet = true;
}

bool say_is_quiet(void)
{
    return quiet;
}

/* U+200E, 200F, 202A to 202E, 2066 to 2069: a terminal that obeys them shows what stands beside it in another order. */
static bool turns_text(const unsigned char *c)
{
    if (c[0] != 0xe2)
        return false;
    return (c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xaa && c[2] <= 0xae))) || (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

void clean(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
        else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)     /* C1 controls, as UTF-8 */
            *c = '?', *++c = '?';
        else if (turns_text(c))
            *c = '?', *++c = '?', *++c = '?';
    }
}

void say_clean(FILE *to, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return;
    clean(copy);
    fputs(copy, to);
    free(copy);
}

static void say_args(const char *format, va_list args)
{
    char text[1024];

    vsnprintf(text, sizeof text, format, args);
    clean(text);
    fprintf(stderr, "%s%s%s: %s\n", program, *verb ? " " : "", verb, text);
}

void say(const char *format, ...)
{
    va_list args;

    if (quiet)
        return;
    va_start(args, format);
    say_args(format, args);
    va_end(args);
}

int fail(int status, const char *format, ...)
{
    va_list args;

    if (quiet)
        return status;
    va_start(args, format);
    say_args(format, args);
    va_end(args);
    return status;
}

int fail_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_args(format, args);
    va_end(args);
    fprintf(stderr, "Try '%s%s%s --help'.\n", program, *verb ? " " : "", verb);
    return EXIT_USAGE;
}

const char *errno_words(int err)
{
    switch (-err) {
    case EMFILE:
        return "this process has no more descriptors; raise its limit (ulimit -n)";
    case ENFILE:
        return "the system has no more descriptors; raise fs.file-max";
    default:
        return strerror(-err);
    }
}

int fail_as(int err, const char *why)
{
    int status = exit_status(err);

    if (!*why)
        why = errno_words(err);
    return status == EXIT_USAGE ? fail_usage("%s", why) : fail(status, "%s", why);
}

bool colour_on(FILE *to)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(to)) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

const char *size_text(char text[SIZE_TEXT], uint64_t bytes)
{
    static const char unit[] = "KMGTPE";
    double value = (double)bytes;
    int i = -1;

    while (value >= 1000 && i < 5) {
        value /= 1024;
        i++;
    }
    if (i < 0)
        snprintf(text, SIZE_TEXT, "%u", (unsigned)bytes);
    else
        snprintf(text, SIZE_TEXT, value < 9.95 ? "%.1f%c" : "%.0f%c", value, unit[i]);
    return text;
}

bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text - '0');

        if (digit > 9 || digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool parse_seconds(const char *text, int64_t *ns)
{
    double seconds;
    char *end;

    if (!isdigit((unsigned char)*text) && *text != '.')
        return false;                   /* no sign, no "inf", no "nan" */
    if (text[0] == '0' && (text[1] | 0x20) == 'x')
        return false;
    seconds = strtod(text, &end);
    if (end == text || *end || !(seconds <= 1e6))
        return false;
    *ns = (int64_t)(seconds * 1e9);
    return true;
}

bool parse_size(const char *text, uint64_t max, uint64_t *out)
{
    static const char unit[] = "KMG";
    char digits[24];
    size_t len = strlen(text);
    const char *at = len ? memchr(unit, toupper((unsigned char)text[len - 1]), 3) : NULL;
    unsigned shift = at ? 10 * (unsigned)(at - unit + 1) : 0;

    if (at)
        len--;
    if (len >= sizeof digits)
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (!parse_number(digits, max >> shift, out))
        return false;
    *out <<= shift;
    return true;
}

int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}
