/* SPDX-License-Identifier: MIT */
#include "arq/hello.h"

#include <string.h>

void
fogi_hello_init(struct hello *h, const uint8_t *mine, uint8_t len)
{
    *h = (struct hello){.mine_len = len, .left = HELLO_TIMES, .answers = HELLO_TIMES};
    memcpy(h->mine, mine, len);
}

static fog_time
wait_time(fog_time rto)
{
    return rto > HELLO_WAIT ? rto : HELLO_WAIT;
}

void
fogi_hello_arm(struct hello *h, fog_time rto, fog_time now)
{
    h->armed = true;
    h->due = now + wait_time(rto);
}

fog_time
fogi_hello_deadline(const struct hello *h)
{
    if (!h->armed || !h->mine_len)
        return FOG_TIME_NEVER;
    if (h->answer || (h->left && !h->theirs_len))
        return h->due;
    return FOG_TIME_NEVER;
}

bool
fogi_hello_wanted(const struct hello *h, bool company, fog_time now)
{
    fog_time due = fogi_hello_deadline(h);
    return due != FOG_TIME_NEVER && (now >= due || (company && !h->said));
}

void
fogi_hello_sent(struct hello *h, fog_time rto, fog_time now)
{
    if (h->answer)
        h->answers--;
    else
        h->left--;
    h->answer = false;
    h->said = true;
    h->said_at = now;
    h->due = now + wait_time(rto);
}

bool
fogi_hello_received(struct hello *h, const uint8_t *theirs, size_t len, fog_time now)
{
    if (!h->armed || len < 1 || len > FOG_HELLO_MAX)
        return false;
    if (h->answers && (!h->said || now >= h->said_at + HELLO_WAIT)) {
        h->answer = true;
        h->due = now;
    }
    if (h->theirs_len)
        return false;
    memcpy(h->theirs, theirs, len);
    h->theirs_len = (uint8_t)len;
    return true;
}
