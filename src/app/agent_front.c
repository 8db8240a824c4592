/* SPDX-License-Identifier: MIT
 *
 * agent_front.c - that a local connection is there, from its first byte to its last.
 *
 * Decides how long each phase may take, who goes first when there are too many, and how it ends.
 * Refuses to know what is said (agent_talk.c). Invariant: it stands in one list of the agent, and
 * is counted as fresh for as long as it has not asked.
 */
#include "app/agent_front.h"

#include "io/log.h"

#include <string.h>

#define LINGER FOG_SEC(5) /* reading on after our last word   */
#define STREAM_LINE "%llu from %s to %s%s%s: %s"

/* ------------------------------------------------------------------------------ coming and going
 */

static void
on_gone(struct alarm *a)
{
    struct front *f = list_entry(a, struct front, alarm);
    struct process *p = f->a->p;
    p->al.free(p->al.ctx, f, sizeof *f);
    fogi_process_relay_ended(p);
}

void
fogi_front_move(struct front *f, struct list *where)
{
    list_unlink(&f->link);
    list_push(where, &f->link);
}

static bool
is_fresh(const struct front *f)
{
    return f->phase == FRONT_SNIFF || f->phase == FRONT_TALK || f->phase == FRONT_HELD;
}

/** f is no longer one of those that have not asked yet. */
static void
leave_door(struct front *f)
{
    f->a->n_fresh--;
    fogi_doorway_has_room(&f->a->way);
}

void
fogi_front_phase(struct front *f, enum front_phase phase, fog_time time)
{
    if (is_fresh(f) && phase != FRONT_SNIFF && phase != FRONT_TALK)
        leave_door(f);
    f->phase = phase;
    f->moved = process_now(f->a->p);
    fogi_alarm_set(&f->alarm, f->moved + time);
}

void
fogi_front_drop_engine(struct front *f)
{
    if (f->http)
        fogi_head_clear(&f->in.head, &f->a->mem);
}

void
fogi_front_end(struct front *f, bool reset)
{
    if (is_fresh(f))
        leave_door(f);
    list_unlink(&f->link);
    fogi_reach_forget(f->reach);
    fogi_request_forget(&f->rq);
    fogi_channel_reset(f->far);
    fogi_front_drop_engine(f);
    if (reset)
        fogi_channel_reset(f->c);
    else
        fogi_channel_close(f->c);
    f->c = f->far = NULL;
    f->reach = NULL;
    fogi_alarm_close(&f->alarm, on_gone);
}

static void
kill_front(struct front *f)
{
    if (f->phase == FRONT_SPLICED)
        fogi_splice_cut(&f->splice);
    fogi_front_end(f, true);
}

void
fogi_front_log(const struct front *f, enum log_at level, const char *what)
{
    char peer[ADDR_TEXT_MAX], to[DEST_TEXT_MAX];
    const char *way = f->rq.by ? " by " : f->group ? " by group " : " directly";
    const char *by = f->rq.by ? f->rq.by->conf.url : f->group ? f->group->name : "";
    if (!fogi_log_on(level))
        return;
    fogi_addr_text(&f->peer, peer);
    fogi_dest_text(&f->dest, to);
    if (level == LOG_AT_DEBUG)
        fogi_log(level, "request " STREAM_LINE, (unsigned long long)f->id, peer, to, way, by, what);
    else
        LOG_LIMITED(level, "request " STREAM_LINE, (unsigned long long)f->id, peer, to, way, by,
                    what);
}

/* ------------------------------------------------------------------------------------- joining
 */

static void
on_over(void *ctx, bool good, const char *how)
{
    struct front *f = ctx;
    process_count_end(f->a->p, good);
    fogi_front_log(f, LOG_AT_DEBUG, how);
    fogi_front_end(f, false);
}

void
fogi_front_join(struct front *f)
{
    struct channel *near = f->c, *far = f->far;
    f->c = f->far = NULL;
    if (f->rq.early_sent)
        fogi_agent_body_skip(near, f->rq.early_sent);
    fogi_front_drop_engine(f);
    f->a->p->n.streams_opened++;
    fogi_front_move(f, &f->a->spliced);
    fogi_front_phase(f, FRONT_SPLICED, FRONT_IDLE);
    fogi_splice(&f->splice, near, far, on_over, f);
}

/** Our end is told; reads on so that closing makes no reset of it. */
void
fogi_front_linger(struct front *f)
{
    if (channel_finish(f->c)) {
        fogi_front_end(f, true);
        return;
    }
    fogi_front_phase(f, FRONT_LINGER, LINGER);
    channel_notify(f->c);
}

static void
look_linger(struct front *f)
{
    size_t dropped;
    bool eof;
    if (fogi_channel_drain(f->c, &dropped, &eof))
        fogi_front_end(f, true);
    else if (eof && channel_is_sent(f->c))
        fogi_front_end(f, false);
}

void
fogi_front_look(void *ctx)
{
    struct front *f = ctx;
    switch (f->phase) {
    case FRONT_SNIFF:
        fogi_talk_sniff(f);
        break;
    case FRONT_TALK:
        fogi_talk(f);
        break;
    case FRONT_HELD:
    case FRONT_ASK:
        fogi_talk_wait(f);
        break;
    case FRONT_SAY:
        fogi_talk_say(f);
        break;
    case FRONT_LINGER:
        look_linger(f);
        break;
    case FRONT_SPLICED:
        break;
    }
}

static void
on_alarm(struct alarm *al)
{
    struct front *f = list_entry(al, struct front, alarm);
    struct agent *a = f->a;
    fog_time now = process_now(a->p);
    if (f->phase == FRONT_ASK) {
        fogi_talk_give_up(f);
        return;
    }
    if (f->phase == FRONT_HELD) {
        f->phase = FRONT_TALK;
        fogi_alarm_set(al, now + FRONT_TIME);
        fogi_talk(f);
        return;
    }
    if (f->phase == FRONT_SPLICED) {
        if (now - f->splice.moved < FRONT_IDLE) {
            fogi_alarm_set(al, f->splice.moved + FRONT_IDLE);
            return;
        }
        a->n.limit_idle_hit++;
        fogi_front_log(f, LOG_AT_DEBUG, "idle for 15 minutes");
    } else if (f->phase != FRONT_LINGER) {
        a->n.limit_handshake_hit++;
    }
    kill_front(f);
}

/* ------------------------------------------------------------------------------------- taking in
 */

void
fogi_front_take(struct agent *a, struct channel *c, const struct fog_addr *peer,
                enum front_kind kind)
{
    struct process *p = a->p;
    bool tight = budget_is_tight(&p->budget);
    struct front *f = NULL;
    if (tight)
        p->n.limit_tight_hit++;
    else
        f = p->al.alloc(p->al.ctx, sizeof *f);
    if (!f) {
        fogi_channel_reset(c);
        return;
    }
    memset(f, 0, sizeof *f);
    f->a = a;
    f->c = c;
    f->peer = *peer;
    f->kind = kind;
    f->moved = process_now(p);
    list_init(&f->link);
    list_push(&a->fresh, &f->link);
    a->n_fresh++;
    fogi_process_relay_began(p);
    fogi_alarm_init(&f->alarm, &p->loop, on_alarm);
    fogi_alarm_set(&f->alarm, f->moved + FRONT_TIME);
    fogi_channel_own(c, fogi_front_look, f);
}

/** list_push() puts the newest last; those that were answered stand among them. */
static struct front *
oldest(const struct agent *a)
{
    struct list *i = a->fresh.next;
    while (!is_fresh(list_entry(i, struct front, link)))
        i = i->next;
    return list_entry(i, struct front, link);
}

fog_time
fogi_fronts_oldest(const struct agent *a)
{
    return oldest(a)->moved;
}

void
fogi_fronts_end_oldest(struct agent *a)
{
    kill_front(oldest(a));
}

void
fogi_fronts_change_users(struct agent *a, const struct agent_conf *c, bool same)
{
    for (struct list *i = a->fresh.next, *next; i != &a->fresh; i = next) {
        struct front *f = list_entry(i, struct front, link);
        next = i->next;
        if (f->phase != FRONT_TALK || f->http)
            continue;
        if (same)
            fogi_socks_server_move(&f->in.socks, c->users);
        else
            kill_front(f);
    }
}

static void
end_list(struct list *fronts)
{
    while (!list_is_empty(fronts))
        kill_front(list_entry(fronts->next, struct front, link));
}

void
fogi_fronts_end(struct agent *a, bool now)
{
    end_list(&a->fresh);
    if (!now)
        return;
    end_list(&a->asking);
    end_list(&a->spliced);
}
