/* SPDX-License-Identifier: MIT */
/* openmetrics.h: the daemon's counters as text for a monitoring system: xvs-metrics(7).
 *
 * One table has each metric's name, type, unit, meaning and place in the daemon's answer.  Names are for ever: dashboards and alerts lean
 * on them.  Two formats, since OpenMetrics calls a counter's family x and Prometheus's older text, the only one that the textfile
 * collector of node_exporter reads, x_total.  What an older daemon does not count is left out.  No I/O but to 'to'. */
#ifndef XVS_OPENMETRICS_H
#define XVS_OPENMETRICS_H

#include <jansson.h>
#include <stdio.h>

enum metrics_format { METRICS_OPENMETRICS, METRICS_PROMETHEUS };

/* answer: the daemon's to {"verb":"metrics"}, in which nothing is taken for granted; NULL: there is no daemon, and xvs_up says so. */
void metrics_print(FILE *to, const json_t *answer, enum metrics_format format);

#endif
