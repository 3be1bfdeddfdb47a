/* provision_log.h: what the journal is told
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provision_plan.h"

/* What happened, as `journalctl MESSAGE_ID=` takes it: all ids of this project. data/libvirt-hostdev.catalog has a text
 * for each. */
#define VIRT_MESSAGE_ID_SET "0f2b4c1d7a5e4e0bb0f0a3c5d9e8f701"
#define VIRT_MESSAGE_ID_RESTORED "5d1c9a7e3f6b4a82a4d0c7b2e1f80632"
#define VIRT_MESSAGE_ID_DRIFT "8a7d1f0c3b2e4d5f96a1c0e7f4b3d204"
#define VIRT_MESSAGE_ID_DRIFT_OVER "c41f7d0e92b84a5c8e3a6b15f0d97c22"
#define VIRT_MESSAGE_ID_ENFORCED "a9e6035bd17c4f7e9f42c8d03b6e1a55"
#define VIRT_MESSAGE_ID_NOT_ENFORCED "67b2d94ef3a1457ab0c9e85d2f714830"
#define VIRT_MESSAGE_ID_FAILED "f0d3a86c5e2947b19c7f14ab60e8d52b"
#define VIRT_MESSAGE_ID_WARNING "2e85c7f1b64d4093a7d80f39ce5b1a46"
#define VIRT_MESSAGE_ID_START "b6f0c8e2a1d34d5f8e0b9c7a63d21f01"
#define VIRT_MESSAGE_ID_CLIENT "3c9be51f70a84e6db2a4f8d106c7e902"
#define VIRT_MESSAGE_ID_REQUEST "d84a02f96b1c4f3a9e57c1b08f6da303"
#define VIRT_MESSAGE_ID_RECONCILE "71e5ab3dc0f24986a8b3d94e25fc1704"
#define VIRT_MESSAGE_ID_LEASE "e9270d4b8c5a41f7bd16f3a9027ec805"
#define VIRT_MESSAGE_ID_UNPROVISIONED "4be1c70f92d84d35a6f7e02b9c815d63"

void virtProvisionLog(const char *messageId, GLogLevelFlags level, const virtRecord *record, const virtPlanRow *row,
                      const char *format, ...) G_GNUC_PRINTF(5, 6);
void virtProvisionLogRecord(const char *messageId, const char *what, const virtRecord *record);
