/* cmd_status.h: what virt-hostdev status shows, in its other form
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "tools/tool.h"

/* cmd_status_metrics.c: metrics, to @file, or to standard output (NULL) */
bool virtStatusWriteMetrics(virtTool *tool, const char *file, GError **error);

/* cmd_status_stats.c */
bool virtStatusPrintStats(virtTool *tool, GError **error);
