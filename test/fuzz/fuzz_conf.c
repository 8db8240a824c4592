/* SPDX-License-Identifier: MIT
 *
 * fuzz_conf.c - a configuration file and a flag. Byte 0: bit 0 the mode, bit 1 guess it, bits 2..6
 * the key of a flag whose value is the first line of the file that follows. Held: what is accepted
 * is in range and reads back as itself; what is refused says why, in whole printable lines.
 */
#include "app/conf.h"
#include "app/conf_keys.h"
#include "app/conf_value.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_lines(const struct conf_lines *l)
{
    assert(l->len < CONF_LINES_MAX && strlen(l->text) == l->len);
    assert(l->len == 0 || l->text[l->len - 1] == '\n');
    for (size_t i = 0; i < l->len; i++)
        assert(l->text[i] == '\n' || (l->text[i] >= ' ' && l->text[i] <= '~'));
}

static void
check_conf(const struct conf *c)
{
    assert(c->listen.port != 0 && c->remote.port != 0 && c->remote.host[0] != 0);
    assert(c->fast >= 0 && c->fast <= 4 && c->mtu <= FOG_MTU_MAX);
    assert(c->mtu == 0 || c->mtu >= FOG_MTU_MIN);
    for (enum conf_key key = 0; key < CONF_KEY_N; key++) {
        char text[CONF_HOST_MAX + 16], why[160];
        struct conf again = *c;
        if (!fogi_conf_in_mode(key, c->mode))
            continue;
        fogi_conf_text(c, key, text, sizeof text);
        assert(fogi_conf_set(&again, key, text, why, sizeof why));
        assert(fogi_conf_same(c, &again, key));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf_report rep;
    char line[64] = "";
    struct conf_request rq = {.file = "F"};
    struct conf c;
    uint8_t bits = size > 0 ? *data++ : 0;
    size -= size > 0;
    rq.mode = (bits & 1) != 0 ? CONF_SERVER : CONF_CLIENT;
    rq.guess = (bits & 2) != 0;
    if ((bits >> 2) % 32 < CONF_KEY_N) {
        size_t len = size < sizeof line - 1 ? size : sizeof line - 1;
        memcpy(line, data, len);
        line[strcspn(line, "\n")] = 0;
        rq.flags[rq.n_flags++] = (struct conf_flag){(bits >> 2) % 32, line, "--flag"};
    }
    int rc = fogi_conf_parse(&c, &rq, data, size, &rep);
    assert((rc == EXIT_OK) == (rep.errors.len == 0));
    check_lines(&rep.errors);
    check_lines(&rep.notes);
    if (rc == EXIT_OK)
        check_conf(&c);
    return 0;
}
