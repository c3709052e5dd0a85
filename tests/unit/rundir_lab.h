/* SPDX-License-Identifier: MIT */
/* rundir_lab.h: a run directory with one guest's directory in a folder of its own under /tmp, and people: children of
 * the test with numbers that nobody has.  To be them the test must be root. */
#ifndef XVS_RUNDIR_LAB_H
#define XVS_RUNDIR_LAB_H

#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#include "dial.h"
#include "harness.h"
#include "rundir.h"

#define ANN    64001u           /* two members of the group, and somebody else */
#define BOB    64002u
#define EVE    64003u
#define GROUP  64100u
#define ALONE  64101u           /* a group of nobody's */

#define NEED_ROOT() do { if (geteuid()) SKIP("it needs root, to be others"); } while (0)

extern char why[RUNDIR_WHY];
extern struct rundir run;
extern struct guest_dir guest;
extern const struct settings_sockets nobody, members, ann_only;

/* The folder, and its end with all that the three above have open; no descriptor may be left then. */
void begin(void);
void end(void);
/* A path in the folder; the next 15 calls leave it alone. */
const char *in(const char *name);
/* Opens run and guest ("web1"). */
void open_both(const struct settings_sockets *sockets);

/* Of a name, never followed. */
mode_t mode_of(const char *name);
uid_t  owner_of(const char *name);
bool   has_acls(void);

/* A socket that is bound there, or -1. */
int socket_at(const char *path, bool listens);
/* 0 or an errno. */
int connect_to(const char *path);

/* Memory that parent and children share, of one page; cleared by begin(). */
extern volatile int *shared;

/* What fn returns as somebody else. */
int as(uid_t uid, gid_t gid, int (*fn)(void));
/* He goes on by himself; the caller waits for his end. */
pid_t as_meanwhile(uid_t uid, gid_t gid, int (*fn)(void));
/* He has called fn, which gave 0, and lives on, with what he opened, until end_long().  One at a time. */
pid_t as_long(uid_t uid, gid_t gid, int (*fn)(void));
void  end_long(pid_t pid);

/* For as(): 0 or an errno.  can_listen() uses the port that is his number. */
int can_connect(void);
int can_listen(void);

#endif
