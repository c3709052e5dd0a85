/* SPDX-License-Identifier: MIT */
/* find.c: see find.h. */
#include "find.h"

#include "domain.h"

struct device *device_numbered(const struct registry *r, uint32_t number)
{
    each_device(r, l)
        if (device_at(l)->born == number)
            return device_at(l);
    return NULL;
}

struct device *device_find(const struct registry *r, uint32_t domid, uint32_t number)
{
    struct domain *dom = domain_find(r, domid);

    if (!dom)
        return NULL;
    each_device_of(dom, l)
        if (device_of_domain(l)->id.number == number)
            return device_of_domain(l);
    return NULL;
}
