/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int value;
    struct list link;
};

static void
expect(struct list *head, const int *values, size_t n)
{
    struct list *l = head->next;
    for (size_t i = 0; i < n; i++, l = l->next) {
        assert_ptr_not_equal(l, head);
        assert_int_equal(list_entry(l, struct item, link)->value, values[i]);
        assert_ptr_equal(l->prev->next, l);
    }
    assert_ptr_equal(l, head);
    assert_int_equal(list_is_empty(head), n == 0);
}

static void
test_push_pop_in_order(void **state)
{
    (void)state;
    struct list head;
    struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    list_init(&head);
    expect(&head, NULL, 0);
    assert_null(list_pop(&head));
    for (size_t i = 0; i < 3; i++) {
        list_init(&items[i].link);
        assert_false(list_is_linked(&items[i].link));
        list_push(&head, &items[i].link);
        assert_true(list_is_linked(&items[i].link));
    }
    expect(&head, (const int[]){1, 2, 3}, 3);
    assert_ptr_equal(list_pop(&head), &items[0].link);
    assert_false(list_is_linked(&items[0].link));
    list_push(&head, &items[0].link);
    expect(&head, (const int[]){2, 3, 1}, 3);
}

static void
test_unlink_anywhere_and_twice(void **state)
{
    (void)state;
    for (size_t gone = 0; gone < 3; gone++) {
        struct list head;
        struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
        list_init(&head);
        for (size_t i = 0; i < 3; i++)
            list_push(&head, &items[i].link);
        list_unlink(&items[gone].link);
        list_unlink(&items[gone].link);
        assert_false(list_is_linked(&items[gone].link));
        static const int left[3][2] = {{2, 3}, {1, 3}, {1, 2}};
        expect(&head, left[gone], 2);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_pop_in_order),
        cmocka_unit_test(test_unlink_anywhere_and_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
