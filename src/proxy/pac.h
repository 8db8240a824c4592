/* SPDX-License-Identifier: MIT
 *
 * pac.h - the script that tells a browser where the proxy is.
 *
 * Decides what the script says. Refuses to know how it is asked for. Invariant: nothing but a host
 * that dest.h has read gets into the script, so no header can write code into it.
 */
#ifndef FOGI_PAC_H
#define FOGI_PAC_H

#include "proxy/dest.h"

#define PAC_SCRIPT_MAX 1024
#define PAC_MIME "application/x-ns-proxy-autoconfig"

/**
 * Writes the script. Names are left to the proxy: SOCKS5 first, then HTTP; never past the proxy.
 *
 * Takes      host: as the browser calls us, its port not looked at. socks5, http: ports; 0: none.
 * Returns    its length; 0 when both ports are 0
 */
size_t fogi_pac_script(char buf[PAC_SCRIPT_MAX], const struct dest *host, uint16_t socks5,
                       uint16_t http);

#endif
