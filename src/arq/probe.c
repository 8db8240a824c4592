/* SPDX-License-Identifier: MIT */
#include "arq/probe.h"

#define ASK_MIN FOG_MS(500)
#define ASK_MAX FOG_SEC(10)
#define TELL_MAX FOG_SEC(1)

void
fogi_probe_set(struct probe *p, bool blocked, fog_time rto, fog_time now)
{
    if (blocked && !p->on) {
        fog_time wait = rto > ASK_MIN ? rto : ASK_MIN;
        *p = (struct probe){.on = true, .due = now + wait, .wait = wait, .progress_at = now};
    } else if (!blocked) {
        *p = (struct probe){0};
    }
}

void
fogi_probe_progress(struct probe *p, fog_time now)
{
    p->progress_at = now;
}

void
fogi_probe_tick(struct probe *p, fog_time now)
{
    if (!p->on || now < p->due)
        return;
    p->ask = true;
    p->wait += p->wait / 2;
    if (p->wait > ASK_MAX)
        p->wait = ASK_MAX;
    p->due = now + p->wait;
}

fog_time
fogi_probe_deadline(const struct probe *p)
{
    return p->on ? p->due : FOG_TIME_NEVER;
}

fog_time
fogi_probe_end(const struct probe *p, fog_time limit)
{
    return p->on ? p->progress_at + limit : FOG_TIME_NEVER;
}

void
fogi_reopen_told(struct reopen *r, uint32_t wnd)
{
    r->closed = wnd == 0;
}

void
fogi_reopen_set(struct reopen *r, uint32_t wnd, fog_time rto, fog_time now)
{
    if (!r->closed || wnd == 0)
        return;
    *r = (struct reopen){.left = REOPEN_TIMES, .due = now, .wait = rto};
}

void
fogi_reopen_stop(struct reopen *r)
{
    r->left = 0;
}

fog_time
fogi_reopen_deadline(const struct reopen *r)
{
    return r->left ? r->due : FOG_TIME_NEVER;
}

void
fogi_reopen_sent(struct reopen *r, fog_time now)
{
    if (r->left == 0)
        return;
    if (r->wait > TELL_MAX)
        r->wait = TELL_MAX;
    r->left--;
    r->due = now + r->wait;
    r->wait *= 2;
}
