/* SPDX-License-Identifier: MIT */
/* message.c: see message.h. */
#include "message.h"

#include <stdio.h>
#include <string.h>

#define SIGNAL_MOST 64u
#define STATUS_MOST 255u
#define LATE        1u

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)value);
    put16(at + 2, (uint16_t)(value >> 16));
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static size_t put_number(uint8_t *frame, enum frame_type type, uint32_t value)
{
    frame_header(frame, type, 4);
    put32(frame + FRAME_HEADER, value);
    return FRAME_HEADER + 4;
}

size_t message_put_size(uint8_t frame[MESSAGE_MAX], uint16_t rows, uint16_t columns)
{
    frame_header(frame, FRAME_RESIZE, 4);
    put16(frame + FRAME_HEADER, rows);
    put16(frame + FRAME_HEADER + 2, columns);
    return FRAME_HEADER + 4;
}

bool message_get_size(const void *body, size_t len, struct message_size *m)
{
    if (len != 4)
        return false;
    m->rows = get16(body);
    m->columns = get16((const uint8_t *)body + 2);
    return m->rows && m->columns;
}

size_t message_put_signal(uint8_t frame[MESSAGE_MAX], uint32_t number)
{
    return put_number(frame, FRAME_SIGNAL, number);
}

bool message_get_signal(const void *body, size_t len, uint32_t *number)
{
    if (len != 4)
        return false;
    *number = get32(body);
    return *number && *number <= SIGNAL_MOST;
}

size_t message_put_room(uint8_t frame[MESSAGE_MAX], uint32_t bytes)
{
    return put_number(frame, FRAME_ROOM, bytes);
}

/* More than the first ROOM is never owed at a time. */
bool message_get_room(const void *body, size_t len, uint32_t *bytes)
{
    if (len != 4)
        return false;
    *bytes = get32(body);
    return *bytes && *bytes <= FRAME_CREDIT;
}

size_t message_put_exit(uint8_t frame[MESSAGE_MAX], const struct message_exit *m)
{
    frame_header(frame, FRAME_EXIT, 12);
    put32(frame + FRAME_HEADER, m->status);
    put32(frame + FRAME_HEADER + 4, m->signal);
    put32(frame + FRAME_HEADER + 8, m->late ? LATE : 0);
    return FRAME_HEADER + 12;
}

bool message_get_exit(const void *body, size_t len, struct message_exit *m)
{
    const uint8_t *at = body;
    uint32_t flags;

    if (len != 12)
        return false;
    m->status = get32(at);
    m->signal = get32(at + 4);
    flags = get32(at + 8);
    m->late = (flags & LATE) != 0;
    return m->status <= STATUS_MOST && m->signal <= SIGNAL_MOST && !(m->status && m->signal) && !(flags & ~LATE);
}

static bool is_control(char c)
{
    return c == 0x7f || (c >= 0 && c < 0x20);
}

size_t message_put_error(uint8_t frame[MESSAGE_MAX], uint32_t status, int err, const char *text)
{
    char *at = (char *)frame + FRAME_HEADER + 4;
    const char *name = strerrorname_np(-err);
    int n = snprintf(at, MESSAGE_NAME + MESSAGE_TEXT, "%.*s %.*s", (int)MESSAGE_NAME - 1, name ? name : "EIO",
                     (int)MESSAGE_TEXT - 1, text);

    for (int i = 0; i < n; i++)
        if (is_control(at[i]))
            at[i] = '?';
    frame_header(frame, FRAME_ERROR, 4 + (size_t)n);
    put32(frame + FRAME_HEADER, status);
    return FRAME_HEADER + 4 + (size_t)n;
}

bool message_get_error(const void *body, size_t len, struct message_error *m)
{
    const char *text = (const char *)body + 4, *space;
    size_t n;

    memset(m, 0, sizeof *m);
    if (len < 4)
        return false;
    len -= 4;
    m->status = get32(body);
    if (!m->status || m->status > STATUS_MOST || !(space = memchr(text, ' ', len < MESSAGE_NAME ? len : MESSAGE_NAME)))
        return false;
    memcpy(m->name, text, (size_t)(space - text));
    for (const char *c = m->name; *c; c++)
        if (!(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9'))
            return false;
    n = len - (size_t)(space + 1 - text);
    if (m->name[0] != 'E' || strlen(m->name) != (size_t)(space - text) || n >= MESSAGE_TEXT)
        return false;
    memcpy(m->text, space + 1, n);
    for (size_t i = 0; i < n; i++)
        if (!m->text[i] || is_control(m->text[i]))
            m->text[i] = '?';
    return true;
}
