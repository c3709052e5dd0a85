/* SPDX-License-Identifier: MIT */
/* labour.h: the worker as a whole: guests (worker.h), the control socket, the table of ends. */
#ifndef XVSD_LABOUR_H
#define XVSD_LABOUR_H

#include "control.h"
#include "worker.h"

struct labour {
    struct worker worker;
    struct control *control, *status;
    bool is_over;               /* the keeper has said so, or is gone */
    const char *why;            /* …or why else; NULL */
};

/* fd: the wall's, which it takes in any case.  0 or a negative errno; labour_end() is due in either case. */
int  labour_begin(struct labour *l, struct loop *loop, int fd);
/* Harmless on one that is all zero. */
void labour_end(struct labour *l);

#endif
