/* SPDX-License-Identifier: MIT
 *
 * agent_pac.c - gives browsers the script that names our ports.
 *
 * One request, one answer, then the end. Whatever is asked for, the answer is the script: a browser
 * is told an address of this port and nothing else.
 */
#include "app/agent_int.h"

#include "proxy/pac.h"

#include <stdio.h>
#include <string.h>

#define PAC_TIME FOG_SEC(10)

struct pac {
    struct list link; /* agent->pacs */
    struct agent *a;
    struct channel *c;
    struct head head;
    char said[PAC_SCRIPT_MAX + 256];
    size_t at, len;
    bool finished;
    struct alarm alarm;
};

static void
on_gone(struct alarm *al)
{
    struct pac *p = list_entry(al, struct pac, alarm);
    struct process *process = p->a->p;
    process->al.free(process->al.ctx, p, sizeof *p);
    fogi_process_relay_ended(process);
}

static void
end_pac(struct pac *p, bool reset)
{
    list_unlink(&p->link);
    p->a->n_pacs--;
    fogi_head_clear(&p->head, &p->a->mem);
    if (reset)
        fogi_channel_reset(p->c);
    else
        fogi_channel_close(p->c);
    fogi_alarm_close(&p->alarm, on_gone);
}

/** As the browser calls us; else as the connection does. */
static void
host_of(const struct pac *p, struct dest *d)
{
    struct head_text host;
    struct fog_addr local;
    char text[ADDR_TEXT_MAX];
    if (fogi_head_find(&p->head, "Host", 0, &host) &&
        !fogi_dest_authority(d, host.at, host.len, 80))
        return;
    fogi_channel_tcp_local(p->c, &local);
    fogi_addr_text(&local, text);
    if (fogi_dest_authority(d, text, strlen(text), 80))
        *d = (struct dest){.kind = DEST_IP4, .ip = {127, 0, 0, 1}};
}

static void
make_answer(struct pac *p)
{
    const struct agent_conf *c = p->a->conf;
    struct dest host = {.port = 80};
    char script[PAC_SCRIPT_MAX];
    uint16_t socks5 = c->socks5.port ? c->socks5.port : c->mixed.port;
    uint16_t http = c->http.port ? c->http.port : c->mixed.port;
    host_of(p, &host);
    if (c->n_users && http)
        socks5 = 0; /* browsers log in over HTTP, not over SOCKS5 */
    size_t len = fogi_pac_script(script, &host, socks5, http);
    bool no_body = fogi_text_is(fogi_head_method(&p->head), "HEAD");
    p->len = (size_t)snprintf(p->said, sizeof p->said,
                              "HTTP/1.1 200 OK\r\nContent-Type: " PAC_MIME
                              "\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%.*s",
                              len, no_body ? 0 : (int)len, script);
}

/** True while there is more to be done. */
static bool
read_head(struct pac *p)
{
    const void *at;
    size_t len, used;
    bool eof;
    if (channel_peek(p->c, &at, &len, &eof))
        return false;
    if (p->len) { /* what still comes is nobody's */
        if (len)
            channel_consume(p->c, len);
        return !eof || len;
    }
    if (!len)
        return !eof;
    int rc = fogi_head_input(&p->head, &p->a->mem, at, len, &used);
    if (used)
        channel_consume(p->c, used);
    if (!rc && p->head.done)
        make_answer(p);
    else if (!rc)
        channel_notify(p->c);
    return !rc;
}

static void
look(void *ctx)
{
    struct pac *p = ctx;
    size_t taken = 0;
    bool more = read_head(p), broken = false;
    while (p->at < p->len && !broken) {
        broken = channel_write(p->c, p->said + p->at, p->len - p->at, &taken);
        if (!taken)
            break;
        p->at += taken;
    }
    bool told = p->len && p->at == p->len;
    if (told && !p->finished && !broken) {
        broken = channel_finish(p->c);
        p->finished = true;
    }
    if (broken || (!more && !told))
        end_pac(p, true);
    else if (!more && channel_is_sent(p->c))
        end_pac(p, false);
}

static void
on_alarm(struct alarm *al)
{
    struct pac *p = list_entry(al, struct pac, alarm);
    p->a->n.limit_handshake_hit += !p->finished;
    end_pac(p, true);
}

void
fogi_pac_take(struct agent *a, struct channel *c)
{
    struct process *process = a->p;
    struct pac *p = NULL;
    if (a->n_pacs < PACS_MAX)
        p = process->al.alloc(process->al.ctx, sizeof *p);
    else
        a->n.limit_pacs_hit++;
    if (!p) {
        fogi_channel_reset(c);
        return;
    }
    memset(p, 0, sizeof *p);
    p->a = a;
    p->c = c;
    fogi_head_init(&p->head, HEAD_REQUEST);
    list_init(&p->link);
    list_push(&a->pacs, &p->link);
    a->n_pacs++;
    fogi_process_relay_began(process);
    fogi_alarm_init(&p->alarm, &process->loop, on_alarm);
    fogi_alarm_set(&p->alarm, process_now(process) + PAC_TIME);
    fogi_channel_own(c, look, p);
}

void
fogi_pacs_end(struct agent *a)
{
    while (!list_is_empty(&a->pacs))
        end_pac(list_entry(a->pacs.next, struct pac, link), true);
}
