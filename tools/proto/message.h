/* SPDX-License-Identifier: MIT */
/* message.h: the bodies of the small frames (frame.h), as structs.
 *
 * Each message_put_… fills a whole frame, header and body, and returns its length; each message_get_… judges a body: false
 * if it is none.  Pure. */
#ifndef XVS_MESSAGE_H
#define XVS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

#define MESSAGE_TEXT 512u       /* bytes of a sentence, with its end */
#define MESSAGE_NAME 20u        /* likewise, of an errno's name */
#define MESSAGE_MAX  (FRAME_HEADER + 4 + MESSAGE_NAME + MESSAGE_TEXT)   /* bytes of the longest of these frames */

struct message_size {           /* RESIZE */
    uint16_t rows, columns;     /* neither is 0 */
};

struct message_exit {           /* EXIT; of status and signal one is 0, or both */
    uint32_t status;            /* 0 to 255 */
    uint32_t signal;            /* 0 to 64 */
    bool late;                  /* flag 0: it was ended because START's time limit was over */
};

struct message_error {          /* ERROR */
    uint32_t status;            /* 1 to 255: what the caller is to end with */
    char name[MESSAGE_NAME];    /* "ENOENT" */
    char text[MESSAGE_TEXT];    /* one line.  It is the other end's word: cleaned here of control characters */
};

size_t message_put_size(uint8_t frame[MESSAGE_MAX], uint16_t rows, uint16_t columns);
bool   message_get_size(const void *body, size_t len, struct message_size *m);
/* SIGNAL, and ROOM. */
size_t message_put_signal(uint8_t frame[MESSAGE_MAX], uint32_t number);
bool   message_get_signal(const void *body, size_t len, uint32_t *number);
size_t message_put_room(uint8_t frame[MESSAGE_MAX], uint32_t bytes);
bool   message_get_room(const void *body, size_t len, uint32_t *bytes);
size_t message_put_exit(uint8_t frame[MESSAGE_MAX], const struct message_exit *m);
bool   message_get_exit(const void *body, size_t len, struct message_exit *m);
/* err: a negative errno; the text is cut where it is too long. */
size_t message_put_error(uint8_t frame[MESSAGE_MAX], uint32_t status, int err, const char *text);
bool   message_get_error(const void *body, size_t len, struct message_error *m);

#endif
