/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel_rig.h"

#include "app/splice.h"

#include <string.h>
#include <sys/socket.h>

/* Two users, each joined to one side of the splice:
 *
 *     left = l ~ r = right        left over TLS, right over TCP
 */

#define MIB ((size_t)1 << 20)

static struct user left, right;
static struct splice s;
static bool over, over_good;
static char over_how[160];

static void
on_over(void *ctx, bool good, const char *how)
{
    assert_ptr_equal(ctx, &s);
    over = true;
    over_good = good;
    snprintf(over_how, sizeof over_how, "%s", how);
}

static void
begin(void)
{
    struct user l = {0}, r = {0};
    over = false;
    rig_join(&left, &l, true);
    rig_join(&right, &r, false);
    fogi_splice(&s, l.c, r.c, on_over, &s);
}

static int
setup(void **state)
{
    memset(&left, 0, sizeof left);
    memset(&right, 0, sizeof right);
    return rig_setup(state);
}

static bool
both_ended(void)
{
    return left.eof && right.eof && over;
}

static bool
right_ended(void)
{
    return right.eof;
}

static bool
right_broke(void)
{
    return right.broke && over;
}

static bool
left_broke(void)
{
    return left.broke && over;
}

static void
all_is_moved_and_counted(void **state)
{
    (void)state;
    left.to_write = 3 * MIB;
    right.to_write = 5 * MIB;
    right.most = 3000;
    left.finish = right.finish = true;
    begin();
    rig_until(both_ended, "both had ended");
    assert_true(over_good);
    assert_true(right.sum == rig_sum(3 * MIB) && left.sum == rig_sum(5 * MIB));
    assert_true(s.ab.bytes == 3 * MIB && s.ba.bytes == 5 * MIB);
    assert_string_equal(over_how, "ended, 3145728 bytes up, 5242880 down");
    rig_drop(&left);
    rig_drop(&right);
}

static void
one_end_lets_the_other_way_go_on(void **state)
{
    (void)state;
    left.to_write = 5;
    left.finish = true;
    begin();
    rig_until(right_ended, "the end had come through");
    assert_false(over);
    right.to_write = MIB;
    right.finish = true;
    channel_notify(right.c);
    rig_until(both_ended, "both had ended");
    assert_true(left.sum == rig_sum(MIB));
    rig_drop(&left);
    rig_drop(&right);
}

static void
a_reset_goes_through(void **state)
{
    (void)state;
    begin();
    rig_turns(20);
    fogi_channel_reset(left.c);
    rig_until(right_broke, "the reset had come through");
    assert_false(over_good);
    assert_false(right.eof);
    rig_drop(&right);
    memset(&right, 0, sizeof right);
    begin();
    rig_turns(20);
    fogi_channel_reset(right.c);
    rig_until(left_broke, "the reset had come through");
    assert_false(left.eof);
    rig_drop(&left);
}

static void
a_reset_goes_through_behind_an_end(void **state)
{
    (void)state;
    left.finish = true;
    begin();
    rig_until(right_ended, "the end had come through");
    fogi_channel_reset(left.c);
    rig_until(right_broke, "the reset had come through");
    rig_drop(&right);
}

static void
a_slow_side_slows_the_other(void **state)
{
    (void)state;
    left.to_write = 64 * MIB;
    right.deaf = true;
    begin();
    size_t before = 1;
    for (unsigned still = 0; still < 50; still = before == left.written ? still + 1 : 0) {
        before = left.written;
        rig_turns(2);
    }
    print_message("%zu bytes held, %zu written\n", p.budget.used, left.written);
    assert_true(p.budget.used < 256 * 1024);
    assert_true(left.written < 48 * MIB);
    fogi_splice_cut(&s);
    right.deaf = false;
    channel_notify(right.c);
    rig_turns(50);
    assert_false(over);
    rig_drop(&left);
    rig_drop(&right);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_moved_and_counted, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(one_end_lets_the_other_way_go_on, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_reset_goes_through, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_reset_goes_through_behind_an_end, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_slow_side_slows_the_other, setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
