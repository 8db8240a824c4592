/* SPDX-License-Identifier: MIT
 *
 * site.c - targets to names, and heads. Every head is written by one function, in one order, so
 * that answers differ in what they say and in nothing else.
 */
#include "proxy/site.h"

#include "proxy/head.h"

#include <assert.h>
#include <string.h>

#define END_OF_9999_S INT64_C(253402300800)
#define RANGE_MAX 64 /* bytes of a Range header that is looked at */

/* --------------------------------------------------------------------------------- target to name
 */

const char *
fogi_site_origin(const char *target, size_t *len)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *end = target + *len;
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (*len < n || !fogi_text_is_word((struct head_text){target, n}, schemes[i]))
            continue;
        const char *name = target + n, *path = name;
        while (path < end && *path != '/' && *path != '?')
            path++;
        if (path == name)
            return NULL;
        bool none = path == end || *path == '?';
        *len = none ? 1 : (size_t)(end - path);
        return none ? "/" : path;
    }
    return *len > 0 && *target == '/' ? target : NULL;
}

static int
hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/** Undoes %XX once. False where it is no valid one, or hides a byte that means something. */
static bool
undo_escapes(char *out, size_t *out_len, const char *s, size_t len)
{
    *out_len = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(s[i + 1]) : -1, low = i + 2 < len ? hex(s[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (unsigned char)(high << 4 | low);
            if (c == '/' || c == '.' || c == '%')
                return false; /* nobody who means well writes these so */
            i += 2;
        }
        if (c < ' ' || c == 0x7f || c == '\\' || *out_len == SITE_PATH_MAX - 1)
            return false;
        out[(*out_len)++] = (char)c;
    }
    out[*out_len] = 0;
    return true;
}

/** No part may be empty or hidden; that covers "." and "..". */
static bool
parts_are_plain(const char *path)
{
    static const char known[] = ".well-known";
    for (const char *part = path; *part != 0;) {
        const char *slash = strchr(part, '/');
        size_t len = slash != NULL ? (size_t)(slash - part) : strlen(part);
        bool well_known = len == sizeof known - 1 && memcmp(part, known, len) == 0;
        if (len == 0 || (part[0] == '.' && !well_known))
            return false;
        part += len + (slash != NULL);
    }
    return true;
}

int
fogi_site_path(struct site_path *out, const char *target, size_t len)
{
    struct site_path p;
    size_t n;
    const char *query = len > 0 ? memchr(target, '?', len) : NULL;
    if (query != NULL)
        len = (size_t)(query - target);
    if (len == 0 || target[0] != '/' || memchr(target, '#', len) != NULL)
        return FOG_E_FORMAT;
    if (!undo_escapes(p.name, &n, target + 1, len - 1) || !parts_are_plain(p.name))
        return FOG_E_FORMAT;
    p.folder = n == 0 || p.name[n - 1] == '/';
    if (n > 0 && p.folder)
        p.name[n - 1] = 0;
    *out = p;
    return FOG_OK;
}

const char *
fogi_site_mime(const char *name)
{
    /* clang-format off */
    static const struct { const char *end, *mime; } types[] = {
        {"html",  "text/html"},        {"htm",   "text/html"},
        {"css",   "text/css"},         {"js",    "text/javascript"},
        {"mjs",   "text/javascript"},  {"txt",   "text/plain"},
        {"xml",   "text/xml"},         {"csv",   "text/csv"},
        {"json",  "application/json"}, {"pdf",   "application/pdf"},
        {"zip",   "application/zip"},  {"gz",    "application/gzip"},
        {"wasm",  "application/wasm"}, {"webmanifest", "application/manifest+json"},
        {"png",   "image/png"},        {"jpg",   "image/jpeg"},
        {"jpeg",  "image/jpeg"},       {"gif",   "image/gif"},
        {"svg",   "image/svg+xml"},    {"ico",   "image/x-icon"},
        {"webp",  "image/webp"},       {"avif",  "image/avif"},
        {"woff",  "font/woff"},        {"woff2", "font/woff2"},
        {"ttf",   "font/ttf"},         {"otf",   "font/otf"},
        {"mp3",   "audio/mpeg"},       {"mp4",   "video/mp4"},
        {"webm",  "video/webm"},
    };
    /* clang-format on */
    const char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (slash != NULL && slash > dot)
            break;
        if (strcmp(dot + 1, types[i].end) == 0)
            return types[i].mime;
    }
    return "application/octet-stream";
}

/* ----------------------------------------------------------------------------------- small texts
 */

/** Two digits, or four. */
static void
put_digits(char *out, unsigned v, size_t n)
{
    while (n > 0) {
        out[--n] = (char)('0' + v % 10);
        v /= 10;
    }
}

void
fogi_site_date(char out[SITE_DATE_LEN + 1], int64_t now_s)
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970 began on a Thursday */
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    if (now_s < 0 || now_s >= END_OF_9999_S)
        now_s = now_s < 0 ? 0 : END_OF_9999_S - 1; /* a file may claim any time */
    uint32_t day = (uint32_t)(now_s / 86400), s = (uint32_t)(now_s % 86400);
    /* Years begin in March here, so that the leap day is the last of its year. */
    uint32_t z = day + 719468, era = z / 146097, doe = z % 146097;
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), month = (5 * doy + 2) / 153;
    memcpy(out, "Xxx, 00 Xxx 0000 00:00:00 GMT", SITE_DATE_LEN + 1);
    memcpy(out, days + day % 7 * 3, 3);
    put_digits(out + 5, doy - (153 * month + 2) / 5 + 1, 2);
    memcpy(out + 8, months + month * 3, 3);
    put_digits(out + 12, era * 400 + yoe + (month >= 10), 4);
    put_digits(out + 17, s / 3600, 2);
    put_digits(out + 20, s / 60 % 60, 2);
    put_digits(out + 23, s % 60, 2);
}

/** A head being written; what does not fit is a fault of ours. */
static void
put_bytes(struct site_answer *a, const char *text, size_t len)
{
    assert(a->head_len + len < sizeof a->head && "every head fits, its parts are bounded");
    memcpy(a->head + a->head_len, text, len);
    a->head_len += len;
    a->head[a->head_len] = 0;
}

static void
put(struct site_answer *a, const char *text)
{
    put_bytes(a, text, strlen(text));
}

static void
put_number(struct site_answer *a, uint64_t v)
{
    char text[20];
    size_t at = sizeof text;
    do
        text[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    put_bytes(a, text + at, sizeof text - at);
}

static void
put_field(struct site_answer *a, const char *name, const char *value)
{
    put(a, name);
    put(a, ": ");
    put(a, value);
    put(a, "\r\n");
}

/* ----------------------------------------------------------------------------------------- heads
 */

static const char *
reason(int status)
{
    /* clang-format off */
    static const struct { int status; const char *text; } reasons[] = {
        {200, "OK"},                 {206, "Partial Content"},  {301, "Moved Permanently"},
        {304, "Not Modified"},       {400, "Bad Request"},      {401, "Unauthorized"},
        {403, "Forbidden"},          {404, "Not Found"},        {405, "Method Not Allowed"},
        {408, "Request Timeout"},    {413, "Content Too Large"},
        {416, "Range Not Satisfiable"},
        {431, "Request Header Fields Too Large"},               {503, "Service Unavailable"},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    assert(0 && "every status that is answered with is in the table");
    return "";
}

static void
put_status(struct site_answer *a, int status)
{
    put_number(a, (uint64_t)status);
    put(a, " ");
    put(a, reason(status));
}

/** Everything but Content-Length and what is behind it. */
static void
begin(struct site_answer *a, int status, int64_t now_s)
{
    char date[SITE_DATE_LEN + 1];
    *a = (struct site_answer){.status = status};
    put(a, "HTTP/1.1 ");
    put_status(a, status);
    put(a, "\r\n");
    fogi_site_date(date, now_s);
    put_field(a, "Date", date);
}

static void
put_length(struct site_answer *a, uint64_t len)
{
    put(a, "Content-Length: ");
    put_number(a, len);
    put(a, "\r\n");
}

static void
end_fields(struct site_answer *a, bool keep_alive)
{
    put_field(a, "Connection", keep_alive ? "keep-alive" : "close");
    put(a, "\r\n");
}

/** The page of an answer that is no file. */
static void
put_page(struct site_answer *a, bool head)
{
    static const char before[] = "<html>\r\n<head><title>",
                      middle[] = "</title></head>\r\n"
                                 "<body>\r\n<h1>",
                      after[] = "</h1>\r\n</body>\r\n</html>\r\n";
    if (head)
        return;
    put(a, before);
    put_status(a, a->status);
    put(a, middle);
    put_status(a, a->status);
    put(a, after);
}

static uint64_t
page_len(int status)
{
    struct site_answer a = {.status = status};
    put_page(&a, false);
    return a.head_len;
}

void
fogi_site_error(struct site_answer *a, int status, const struct site_ask *ask, int64_t now_s)
{
    begin(a, status, now_s);
    put_field(a, "Content-Type", "text/html");
    put_length(a, page_len(status));
    if (status == 401)
        put_field(a, "WWW-Authenticate", "Basic");
    if (status == 405)
        put_field(a, "Allow", "GET, HEAD");
    end_fields(a, ask->keep_alive);
    put_page(a, ask->head);
}

/** Whether a target can stand in a head: no blanks, control bytes or more than ASCII. */
static bool
is_plain_target(const char *target, size_t len)
{
    if (len == 0 || len > SITE_TARGET_MAX || target[0] != '/')
        return false;
    for (size_t i = 0; i < len; i++)
        if (target[i] <= ' ' || target[i] > '~')
            return false;
    return true;
}

void
fogi_site_redirect(struct site_answer *a, bool https, const struct dest *host, const char *target,
                   size_t len, const struct site_ask *ask, int64_t now_s)
{
    char place[DEST_TEXT_MAX];
    size_t place_len = fogi_dest_text(host, place);
    if (host->port == (https ? 443 : 80))
        place_len = (size_t)(strrchr(place, ':') - place);
    bool plain = is_plain_target(target, len);
    begin(a, 301, now_s);
    put_field(a, "Content-Type", "text/html");
    put_length(a, page_len(301));
    put(a, https ? "Location: https://" : "Location: http://");
    put_bytes(a, place, place_len);
    put_bytes(a, plain ? target : "/", plain ? len : 1);
    put(a, "\r\n");
    end_fields(a, ask->keep_alive);
    put_page(a, ask->head);
}

/* ----------------------------------------------------------------------------------------- files
 */

/** Digits at *s, moved along; false: none, or more than a file can have. */
static bool
read_u64(const char **s, const char *end, uint64_t *v)
{
    const char *from = *s;
    for (*v = 0; *s < end && **s >= '0' && **s <= '9'; (*s)++) {
        if (*s - from >= 18)
            return false;
        *v = *v * 10 + (uint64_t)(**s - '0');
    }
    return *s > from;
}

enum range { RANGE_NONE, RANGE_SOME, RANGE_BEYOND };

/** Whether the request is about the file as it was at `date`, exactly as we have told it. */
static bool
is_date(const char *text, size_t len, const char *date)
{
    return text != NULL && len == SITE_DATE_LEN && memcmp(text, date, SITE_DATE_LEN) == 0;
}

/** One range of "bytes=FROM-TO", "bytes=FROM-" or "bytes=-LAST". More than one, and what is none,
 *  count as not there, as RFC 9110 section 14.2 allows. */
static enum range
read_range(const struct site_ask *ask, uint64_t size, uint64_t *from, uint64_t *len)
{
    static const char unit[] = "bytes=";
    const char *s = ask->range;
    uint64_t first = 0, last = size - 1;
    if (s == NULL || ask->range_len < sizeof unit || ask->range_len > RANGE_MAX ||
        memcmp(s, unit, sizeof unit - 1) != 0)
        return RANGE_NONE;
    const char *end = s + ask->range_len;
    s += sizeof unit - 1;
    bool tail = *s == '-';
    if ((!tail && !read_u64(&s, end, &first)) || s == end || *s++ != '-')
        return RANGE_NONE;
    bool ends = s < end;
    if ((tail && !ends) || (ends && !read_u64(&s, end, &last)) || s != end)
        return RANGE_NONE;
    if (!tail && ends && last < first)
        return RANGE_NONE;
    if (size == 0 || (tail ? last == 0 : first >= size))
        return RANGE_BEYOND;
    if (tail) {
        first = last < size ? size - last : 0;
        last = size - 1;
    }
    *from = first;
    *len = (last < size ? last + 1 : size) - first;
    return RANGE_SOME;
}

static void
put_range(struct site_answer *a, uint64_t size)
{
    put(a, "Content-Range: bytes ");
    put_number(a, a->from);
    put(a, "-");
    put_number(a, a->from + a->len - 1);
    put(a, "/");
    put_number(a, size);
    put(a, "\r\n");
}

/** The range asked for is behind the end. */
static void
answer_beyond(struct site_answer *a, uint64_t size, const struct site_ask *ask, int64_t now_s)
{
    begin(a, 416, now_s);
    put_field(a, "Content-Type", "text/html");
    put_length(a, page_len(416));
    put(a, "Content-Range: bytes */");
    put_number(a, size);
    put(a, "\r\n");
    end_fields(a, ask->keep_alive);
    put_page(a, ask->head);
}

void
fogi_site_file(struct site_answer *a, const struct site_file *f, const struct site_ask *ask,
               int64_t now_s)
{
    char date[SITE_DATE_LEN + 1];
    uint64_t from = 0, len = f->size;
    fogi_site_date(date, f->modified_s);
    bool same = is_date(ask->if_modified_since, ask->if_modified_since_len, date);
    bool whole = same || ask->head ||
                 (ask->if_range != NULL && !is_date(ask->if_range, ask->if_range_len, date));
    enum range range = whole ? RANGE_NONE : read_range(ask, f->size, &from, &len);
    if (range == RANGE_BEYOND) {
        answer_beyond(a, f->size, ask, now_s);
        return;
    }
    begin(a, same ? 304 : range == RANGE_SOME ? 206 : 200, now_s);
    a->from = from;
    a->len = len;
    if (!same) {
        put_field(a, "Content-Type", f->mime);
        put_length(a, len);
    }
    put_field(a, "Last-Modified", date);
    if (range == RANGE_SOME)
        put_range(a, f->size);
    else if (!same)
        put_field(a, "Accept-Ranges", "bytes");
    end_fields(a, ask->keep_alive);
    if (same || ask->head)
        a->from = a->len = 0;
}
