/* SPDX-License-Identifier: MIT */
/* options.h: how a device is to be. */
#ifndef XVS_OPTIONS_H
#define XVS_OPTIONS_H

#include "xvs.h"

/* The defaults, and over them what was given (or NULL). */
void options_of(struct xvs_options *out, const struct xvs_options *given);
/* 0, or -EINVAL and words for xvs_open_error(). */
int  options_check(const struct xvs_options *o);
/* For one who looks: the device's number alone. */
int  options_check_device(const struct xvs_options *o);
const char *options_run_dir(const struct xvs_options *o);

#endif
