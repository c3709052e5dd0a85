/* SPDX-License-Identifier: MIT */
/* service.h: an end that is the daemon itself: the small services of RFC 862 to 864, for trying a guest out
 * and for measuring without a host program in the way.  Off unless the settings say "services = yes".
 *
 * A service stands in the place of a UNIX socket of its port, and the policy takes it for one.
 *
 *     port 7   echo      what the guest sends comes back
 *     port 9   discard   what the guest sends is dropped; end of stream is answered by end of stream
 *     port 19  source    bytes without end, until the guest stops reading */
#ifndef XVSD_SERVICE_H
#define XVSD_SERVICE_H

#include "end.h"

extern const struct end_kind service_end;

#endif
