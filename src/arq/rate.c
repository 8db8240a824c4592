/* SPDX-License-Identifier: MIT */
#include "arq/rate.h"

void
fogi_rate_sent(struct rate *r, struct tx *t, size_t out, fog_time now)
{
    if (out == 0) {
        r->first_sent_at = now;
        r->delivered_at = now;
    }
    t->first_sent_at = r->first_sent_at;
    t->delivered_at = r->delivered_at;
    t->delivered = r->delivered;
    t->limited = r->limited_until != 0;
}

void
fogi_rate_idle(struct rate *r, size_t out)
{
    r->limited_until = r->delivered + out;
    if (r->limited_until == 0)
        r->limited_until = 1;
}

void
fogi_rate_arrived(struct rate *r, struct rate_sample *s, const struct tx *t, size_t bytes,
                  fog_time now)
{
    r->delivered += bytes;
    r->delivered_at = now;
    if (!t || (s->valid && (t->delivered < s->prior || t->sent_at < s->newest_at)))
        return;
    s->valid = true;
    s->limited = t->limited;
    s->prior = t->delivered;
    s->prior_at = t->delivered_at;
    s->sent_us = t->sent_at - t->first_sent_at;
    s->newest_at = t->sent_at;
    if (t->sent_at > r->first_sent_at)
        r->first_sent_at = t->sent_at;
}

void
fogi_rate_finish(struct rate *r, struct rate_sample *s)
{
    if (r->limited_until && r->delivered > r->limited_until)
        r->limited_until = 0;
    if (!s->valid)
        return;
    fog_time arrived_us = r->delivered_at - s->prior_at;
    s->over_us = s->sent_us > arrived_us ? s->sent_us : arrived_us;
    if (s->over_us <= 0) {
        s->valid = false;
        return;
    }
    s->bytes_per_s = (r->delivered - s->prior) * 1000000 / (uint64_t)s->over_us;
}
