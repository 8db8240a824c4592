/* SPDX-License-Identifier: MIT
 *
 * list.h - intrusive doubly linked ring. An element that is in no list points at itself, so
 * list_unlink() may be called twice and list_is_linked() needs no flag. All calls O(1).
 */
#ifndef FOGI_LIST_H
#define FOGI_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

/** The struct that holds the link `ptr` as its member. */
#define list_entry(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/** Makes an empty head, or an element that is in no list. */
static inline void
list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool
list_is_linked(const struct list *l)
{
    return l->next != l;
}

static inline bool
list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void
list_unlink(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/** Appends l, which must be in no list. */
static inline void
list_push(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

/** Takes the first element out, NULL when the list is empty. */
static inline struct list *
list_pop(struct list *head)
{
    struct list *l = head->next;
    if (l == head)
        return NULL;
    list_unlink(l);
    return l;
}

#endif
