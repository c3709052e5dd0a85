/* SPDX-License-Identifier: MIT */
/* ends.c: see ends.h. */
#include "ends.h"

#include "bridge.h"
#include "deliver.h"
#include "relay.h"
#include "service.h"
#include "tied.h"

const struct end_kind *const ends[] = {
    &relay_end,                 /* other CIDs than the host's */
    &service_end,               /* some ports, if the settings say so */
    &bridge_end,                /* whoever listens in the guest's directory */
    &kernel_end,                /* AF_VSOCK programs, if the settings say so */
    &deliver_end,               /* takes none that is new */
    NULL
};
