/* SPDX-License-Identifier: MIT */
/* destination.c: see destination.h. */
#include "destination.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "say.h"

static int wrong(char *why, int err, const char *format, const char *text)
{
    snprintf(why, DESTINATION_WHY, format, text);
    return err;
}

int destination_unix(const char *path, struct destination *t, char why[DESTINATION_WHY])
{
    struct sockaddr_un *a = (struct sockaddr_un *)&t->address;

    memset(t, 0, sizeof *t);
    if (strlen(path) >= sizeof a->sun_path)
        return wrong(why, -ENAMETOOLONG, "the path of its socket is too long%s", "");
    a->sun_family = AF_UNIX;
    strcpy(a->sun_path, path);
    t->len = sizeof *a;
    return 0;
}

int destination_tcp(const char *text, char mark, struct destination *t, char why[DESTINATION_WHY])
{
    struct sockaddr_in *four = (struct sockaddr_in *)&t->address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&t->address;
    const char *at = strrchr(text, mark);
    char host[INET6_ADDRSTRLEN + 1];
    uint64_t port;

    memset(t, 0, sizeof *t);
    if (!at || (size_t)(at - text) >= sizeof host || !parse_number(at + 1, 65535, &port) || !port)
        return wrong(why, -EINVAL, "'%.100s' is no HOST and PORT", text);
    snprintf(host, sizeof host, "%.*s", (int)(at - text), text);
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        t->len = sizeof *four;
    } else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        t->len = sizeof *six;
    } else {
        return wrong(why, -EINVAL, "'%.100s' is no address: write it as a number, or localhost", host);
    }
    return 0;
}

int destination_read(const char *text, struct destination *t, char why[DESTINATION_WHY])
{
    if (strncmp(text, "unix:/", 6) == 0)
        return destination_unix(text + 5, t, why);
    if (strncmp(text, "tcp:", 4) == 0)
        return destination_tcp(text + 4, ':', t, why);
    memset(t, 0, sizeof *t);
    if (strncmp(text, "exec:", 5) != 0)
        return wrong(why, -EINVAL, "'%.60s' is neither unix:/PATH nor tcp:HOST:PORT nor exec:COMMAND", text);
    t->command = text + 5;
    return *t->command ? 0 : wrong(why, -EINVAL, "'%.60s' has no command", text);
}
