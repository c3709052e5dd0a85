/* SPDX-License-Identifier: MIT */
/* input.h: what a caller sends for a command's standard input, by credit: at most FRAME_CREDIT bytes are kept that the command does
 * not take, and then the caller has to wait.  So the stream is read all the time. */
#ifndef XVS_INPUT_H
#define XVS_INPUT_H

#include "tap.h"

struct input {
    struct tap tap;             /* the command's; closed: it does not want any more, and what comes is thrown away */
    uint8_t *kept;
    size_t at, len;             /* of what is kept */
    uint32_t credit, owed;      /* bytes that may come; that were taken, and of which that is not said yet */
    bool is_terminal;
    bool ended, told;           /* the caller has said so; and the command has been told */
};

void input_init(struct input *in);
/* len bytes, 0: there are no more.  -EPROTO: there was no credit for so many, or -ENOMEM. */
int  input_take(struct input *in, const uint8_t *bytes, size_t len);
/* What is kept goes to the command, and then the end. */
void input_feed(struct input *in);
/* For so many more bytes there is room, if that is worth telling, else 0.  They count as told. */
uint32_t input_room(struct input *in);
void input_free(struct input *in);

#endif
