/* SPDX-License-Identifier: MIT
 *
 * notify.h - tells the service manager that started us how we are (sd_notify(3) of systemd, which
 * is one datagram). Knows where it listens; not what the states mean. Without one it does nothing.
 */
#ifndef FOGI_NOTIFY_H
#define FOGI_NOTIFY_H

/** "READY=1", "STOPPING=1". Nobody waits for an answer, and that nobody listens is no error. */
void fogi_notify(const char *state);

#endif
