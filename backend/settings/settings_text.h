/* SPDX-License-Identifier: MIT */
/* settings_text.h: settings from the text of files.
 *
 * All errors are found at once.  A section may go on in a later file: what that says again holds then, and guests of a group are added.
 * With 'names' the host's users and groups are looked up; else pure. */
#ifndef XVSD_SETTINGS_TEXT_H
#define XVSD_SETTINGS_TEXT_H

#include "confdir.h"
#include "settings.h"

/* Whatever can be read, to be used if there was no complaint; NULL without memory.  *no_memory: that was one of the reasons. */
struct settings *settings_text_read(const struct conf_texts *texts, bool names, struct complaints *c, bool *no_memory);

#endif
