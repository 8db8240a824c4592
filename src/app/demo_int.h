/* SPDX-License-Identifier: MIT
 *
 * demo_int.h - the parts of the demo. Each knows its own sockets and nothing of the others; demo.c
 * puts them together and looks at their states on a timer, so none of them calls back.
 *
 *   download, echo --TCP--> client --UDP--> relay --UDP--> server --TCP--> origin
 *   (demo_probe.c)          (child)         (demo_relay.c) (child)         (demo_origin.c)
 */
#ifndef FOGI_DEMO_INT_H
#define FOGI_DEMO_INT_H

#include "base/list.h"
#include "emu/emu.h"

#include <assert.h>
#include <stdio.h>
#include <uv.h>

#define DEMO_IP "127.0.0.1"
#define DEMO_CHUNK 65536      /* bytes read or written at once                                  */
#define DEMO_OVERHEAD 28      /* IPv4 and UDP headers: they are on the wire as well             */
#define DEMO_FLOWS_MAX 32     /* source addresses of the client that the relay tells apart      */
#define DEMO_ECHO_LEN 64      /* bytes of a round trip's message                                */
#define DEMO_SAMPLES_MAX 2048 /* round trips kept                                               */

struct demo_options {
    double loss;       /* share lost each way, 0..0.9                                        */
    fog_time delay_us; /* one way                                                            */
    fog_time jitter_us;
    uint64_t rate_bps; /* each way; 0: unlimited                                             */
    uint64_t size;     /* bytes to download                                                  */
    uint64_t seed;     /* of the link's chance and of the content                              */
    unsigned fast;     /* parameter set of both processes; 0: their default                  */
    fog_time limit_us; /* for everything                                                     */
    bool verbose;      /* show what the processes say                                        */
};

/** Microseconds of the demo's clock. */
static inline fog_time
demo_now(void)
{
    return (fog_time)(uv_hrtime() / 1000);
}

/** 0, or the exit code after a message on standard error; -1 when help was asked for. */
int fogi_demo_args(struct demo_options *o, int argc, char **argv);

/** The content at position pos: what the origin sends and the download must be. */
void fogi_demo_content(uint64_t seed, uint64_t pos, void *buf, size_t len);

/* --------------------------------------------------------------------------------------- origin */

/** An HTTP server for two paths: /data gives `size` bytes, /echo gives back what follows. */
struct demo_origin {
    uv_tcp_t listener;
    uint16_t port;
    uint64_t size, seed;
    struct list conns;
};

/** 0 or a negative errno. */
int fogi_demo_origin_start(struct demo_origin *o, uv_loop_t *loop, uint64_t size, uint64_t seed);
void fogi_demo_origin_stop(struct demo_origin *o);

/* ---------------------------------------------------------------------------------------- relay */

struct demo_relay;

struct demo_flow {
    struct demo_relay *relay;
    struct sockaddr_in client; /* who                                      */
    uv_udp_t upstream;         /* the socket that the server sees for it   */
    uint64_t index;
};

/** The bad link, both ways. */
struct demo_relay {
    uv_udp_t listener;
    uv_timer_t timer;
    uint16_t port;
    struct sockaddr_in server;
    struct emu *up, *down; /* client to server, and back */
    uint64_t unsent;       /* datagrams the system refused */
    struct demo_flow flow[DEMO_FLOWS_MAX];
    uint64_t n_flows;
    char buf[DEMO_CHUNK];
};

int fogi_demo_relay_start(struct demo_relay *r, uv_loop_t *loop, const struct demo_options *o,
                          uint16_t server_port);
/** Closes the sockets; the counters stay until fogi_demo_relay_free(). */
void fogi_demo_relay_stop(struct demo_relay *r);
void fogi_demo_relay_free(struct demo_relay *r);

/* ---------------------------------------------------------------------------------------- child */

enum demo_child_state { DEMO_CHILD_NONE, DEMO_CHILD_RUNS, DEMO_CHILD_ENDING, DEMO_CHILD_ENDED };

/** One process of this program. */
struct demo_child {
    const char *name;
    enum demo_child_state state;
    uv_process_t process;
    uv_pipe_t err;
    fog_time ending_since;
    int signals; /* sent so far */
    int64_t status;
    int term_signal;
    double cpu_s; /* user and system, once ended */
    bool verbose;
    char tail[2048]; /* the end of what it said */
    size_t tail_len;
    char chunk[4096];
};

/** Starts `foggara NAME -l listen FLAG to [...]`. 0 or a negative errno. */
int fogi_demo_child_start(struct demo_child *c, uv_loop_t *loop, const char *name,
                          const char *listen, const char *flag, const char *to,
                          const struct demo_options *o);
/** Asks it to end, and insists when called again later. */
void fogi_demo_child_end(struct demo_child *c, fog_time now);
/** Writes the last thing it said to f, indented. */
void fogi_demo_child_said(const struct demo_child *c, FILE *f);

/* --------------------------------------------------------------------------------------- probes */

enum demo_probe_state {
    DEMO_PROBE_IDLE,
    DEMO_PROBE_CONNECTING,
    DEMO_PROBE_WAITING, /* for the answer's header */
    DEMO_PROBE_BODY,
    DEMO_PROBE_ENDED, /* the other side finished */
    DEMO_PROBE_FAILED /* error tells why         */
};

/** One HTTP request and its answer. */
struct demo_probe {
    enum demo_probe_state state;
    const char *path;
    uv_tcp_t tcp;
    bool open; /* the handle */
    uv_connect_t connect;
    uv_write_t write;
    char request[128];
    char head[512];
    size_t head_len;
    char error[96];
    void (*body)(struct demo_probe *p, const uint8_t *bytes, size_t len);
    uint8_t buf[DEMO_CHUNK];
};

int fogi_demo_probe_start(struct demo_probe *p, uv_loop_t *loop, const char *path, uint16_t port);
void fogi_demo_probe_stop(struct demo_probe *p);

/** The bulk transfer: every byte is compared. */
struct demo_download {
    struct demo_probe probe;
    uint64_t seed, size, got;
    fog_time began, ended; /* first byte asked for, last byte here */
};

void fogi_demo_download_init(struct demo_download *d, uint64_t size, uint64_t seed);
/** Whether all is here and right. */
bool fogi_demo_download_done(const struct demo_download *d);

struct demo_samples {
    size_t n;
    double ms[DEMO_SAMPLES_MAX];
};

/** Small messages there and back. */
struct demo_echo {
    struct demo_probe probe;
    uint32_t sent, back;
    fog_time at[DEMO_SAMPLES_MAX]; /* when each was sent       */
    uint8_t part[DEMO_ECHO_LEN];
    size_t part_len;
    uint32_t beside_from, beside_to; /* sent while the download ran */
    struct demo_samples alone, beside;
};

void fogi_demo_echo_init(struct demo_echo *e);
/** Sends the next message. */
void fogi_demo_echo_send(struct demo_echo *e, fog_time now);
/** The value below which `share` of the samples lie, in ms; 0 without samples. */
double fogi_demo_percentile(const struct demo_samples *s, double share);

/* --------------------------------------------------------------------------------------- report */

struct demo {
    struct demo_options o;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t on_int, on_term;
    struct demo_origin origin;
    struct demo_relay relay;
    struct demo_child server, client;
    struct demo_download download;
    struct demo_echo echo;
    uint16_t client_port;
    int phase;
    fog_time began, phase_began, next_echo, next_progress, ready_us;
    bool interrupted, tty, progress_shown;
    char error[256];
};

void fogi_demo_print_start(const struct demo *d);
void fogi_demo_print_progress(struct demo *d, fog_time now);
void fogi_demo_print_table(const struct demo *d);

#endif
