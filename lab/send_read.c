/* SPDX-License-Identifier: MIT */
/*
 * send_read.c - the parameters of send.php as a job: kinds, times, numbers, texts and the lines of list=.
 *
 * Reads and checks, sends nothing. Texts of all lines stand in one buffer; lines and targets hold offsets into it, so
 * they survive its growth.
 */
#include "lab/send.h"
#include "lab/records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "smpp/smpp.h"

enum { MES_MAX_CHARS = 1000, BINARY_MAX_OCTETS = 64 << 10, LINK_MAX_BYTES = 4 * MES_MAX_CHARS, SCRATCH_MAX = 16 << 20 };

/* ---- numbers ---- */

bool lab_phone_read(const char *in, size_t len, char out[LAB_PHONE_SIZE])
{
    bool plus = false;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = in[i];

        if (c == '+' && n == 0 && !plus)
            plus = true;
        else if (c >= '0' && c <= '9' && n < LAB_PHONE_SIZE - 2)
            out[n++] = c;
        else if (strchr(" ()-\r\n\t", c) == NULL || c == '\0')
            break;
        if (i + 1 < len)
            continue;
        out[n] = '\0';
        if (!plus && n == 11 && out[0] == '8') /* the home country's long-distance prefix */
            out[0] = '7';
        if (!plus && n == 10 && out[0] == '9') {
            memmove(out + 1, out, n + 1);
            out[0] = '7';
            n++;
        }

        const struct lab_operator *op = lab_operator_of(out);

        return n >= 8 && n <= 15 && out[0] != '0' && (op == NULL || op->digits == 0 || op->digits == n);
    }
    n = len < LAB_PHONE_SIZE ? len : LAB_PHONE_SIZE - 1;
    memcpy(out, in, n);
    out[n] = '\0';
    return false;
}

/* ---- times ---- */

static bool digits(const char *p, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *out = *out * 10 + (p[i] - '0');
    }
    return true;
}

static bool date_of(const char *s, bool dotted, double zone_h, int64_t *out_ms)
{
    int d, m, y, h, min;
    bool ok = dotted ? digits(s, 2, &d) && s[2] == '.' && digits(s + 3, 2, &m) && s[5] == '.' && digits(s + 6, 2, &y) &&
                           s[8] == ' ' && digits(s + 9, 2, &h) && s[11] == ':' && digits(s + 12, 2, &min)
                     : digits(s, 2, &d) && digits(s + 2, 2, &m) && digits(s + 4, 2, &y) && digits(s + 6, 2, &h) &&
                           digits(s + 8, 2, &min);

    if (!ok || d < 1 || d > 31 || m < 1 || m > 12 || h > 23 || min > 59)
        return false;

    struct tm tm = { .tm_year = 100 + y, .tm_mon = m - 1, .tm_mday = d, .tm_hour = h, .tm_min = min };
    time_t t = timegm(&tm);

    if (tm.tm_mday != d) /* 31.02: timegm has moved on to March */
        return false;
    *out_ms = ((int64_t)t - (int64_t)(zone_h * 3600)) * 1000;
    return true;
}

/* The documented forms; 0 or ERR_SYNTAX. *out_ms 0: now. */
static int time_of(const char *s, double zone_h, int64_t now_ms, int64_t *out_ms)
{
    size_t len = strlen(s);
    char *end;

    *out_ms = 0;
    if (len == 0 || strcmp(s, "0") == 0)
        return 0;
    if (s[0] == '+') {
        long m = strtol(s + 1, &end, 10);

        if (end == s + 1 || *end != '\0' || m < 0 || m > 366L * 1440 || s[1] == '+' || s[1] == ' ')
            return ERR_SYNTAX;
        *out_ms = now_ms + m * 60000;
        return 0;
    }
    if (s[0] == '0' && len >= 11 && len <= 12 && strspn(s, "0123456789") == len) {
        *out_ms = strtoll(s, NULL, 10) * 1000;
        return 0;
    }
    if (len == 10 && strspn(s, "0123456789") == len)
        return date_of(s, false, zone_h, out_ms) ? 0 : ERR_SYNTAX;
    if (len == 14)
        return date_of(s, true, zone_h, out_ms) ? 0 : ERR_SYNTAX;

    long h1 = strtol(s, &end, 10);

    if (end == s || end - s > 2 || *end != '-' || h1 < 0 || h1 > 23)
        return ERR_SYNTAX;

    const char *second = end + 1;
    long h2 = strtol(second, &end, 10);

    if (end == second || end - second > 2 || *end != '\0' || h2 <= h1 || h2 > 24)
        return ERR_SYNTAX;

    int64_t zone_ms = (int64_t)(zone_h * 3600000), day_ms = 86400000;
    int64_t local = now_ms + zone_ms, day = local - local % day_ms, hour = local % day_ms / 3600000;

    if (hour < h1)
        *out_ms = day + h1 * 3600000 - zone_ms;
    else if (hour >= h2)
        *out_ms = day + day_ms + h1 * 3600000 - zone_ms;
    return 0;
}

/* 1..24 hours or hh:mm from 00:01 to 24:00; 0 ms when absent. */
static int valid_of(const char *s, int64_t *out_ms)
{
    size_t len = strlen(s);
    int h, m = 0;

    *out_ms = 0;
    if (len == 0 || strcmp(s, "0") == 0)
        return 0;
    if (!(len == 5 && digits(s, 2, &h) && s[2] == ':' && digits(s + 3, 2, &m)) &&
        !(len <= 2 && digits(s, (int)len, &h)))
        return ERR_SYNTAX;
    if (h * 60 + m < 1 || h * 60 + m > 1440 || m > 59)
        return ERR_RANGE;
    *out_ms = (int64_t)(h * 60 + m) * 60000;
    return 0;
}

/* ---- kinds ---- */

static const struct kind {
    const char *flag, *prefix;
    enum lab_type type;
} kinds[] = {
    { "hlr", "__HLR__", LAB_HLR },    { "ping", "__PING__", LAB_PING },    { "flash", NULL, LAB_FLASH },
    { "push", NULL, LAB_PUSH },       { "mms", "__MMS__", LAB_MMS },       { "mail", "__MAIL__", LAB_MAIL },
    { "call", "__CALL__", LAB_CALL }, { "viber", "__VIBER__", LAB_VIBER }, { "soc", "__SOC__", LAB_SOC },
    { "tg", NULL, LAB_TELEGRAM },     { "whatsapp", NULL, LAB_WHATSAPP },  { "bot", NULL, LAB_TELEGRAM },
};

static bool needs_no_text(enum lab_type type)
{
    return type == LAB_HLR || type == LAB_PING || type == LAB_MMS || type == LAB_CALL;
}

/* ---- texts ---- */

static bool starts(const char *s, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);

    return len >= n && memcmp(s, prefix, n) == 0;
}

static const char *find(const char *s, size_t len, const char *what)
{
    return len == 0 ? NULL : memmem(s, len, what, strlen(what));
}

static void shorten_links(struct send_job *job, const char *s, size_t len, struct buf *out)
{
    const char *host = job->call->request->host != NULL ? job->call->request->host : "127.0.0.1";

    for (size_t i = 0; i < len;) {
        struct lab *lab = job->call->lab;

        if ((starts(s + i, len - i, "http://") || starts(s + i, len - i, "https://")) &&
            lab->link_count < LAB_LINKS_MAX) {
            size_t n = 0;

            while (i + n < len && (unsigned char)s[i + n] > ' ')
                n++;
            /* a link as long as no text may be stays, and the text is refused for it */
            lab->links[lab->link_count] = (struct lab_link){ .url = n <= LINK_MAX_BYTES ? strndup(s + i, n) : NULL };
            if (lab->links[lab->link_count].url != NULL) {
                lab->link_count++;
                buf_addf(out, "http://%.200s/t/%s%s%u", host, lab->first != lab ? lab->b.login : "",
                         lab->first != lab ? "-" : "", lab->link_count);
                job->link = lab->link_count;
                i += n;
                continue;
            }
        }
        buf_addc(out, s[i++]);
    }
}

/* Cuts to at most `parts` messages: whole characters, found by halving. */
static size_t cut_to_parts(enum smpp_alphabet alphabet, const char *s, size_t len, size_t parts)
{
    size_t low = 0, high = smpp_utf8_chars(s, len);

    while (low < high) {
        size_t middle = (low + high + 1) / 2;

        if (smpp_text_parts(alphabet, s, smpp_utf8_prefix(s, len, middle)) <= parts)
            low = middle;
        else
            high = middle - 1;
    }
    return smpp_utf8_prefix(s, len, low);
}

/* A template with fl[1]=1 stands under every text. On a line of its own: assumed. */
static void add_signature(struct lab *lab, struct buf *text)
{
    struct buf storage;

    if (lab->record_count == 0 || text->len == 0)
        return;
    buf_init(&storage, RECORD_FORM_MAX);
    const char *signature = desk_signature(lab, &storage);
    if (signature != NULL) {
        buf_addc(text, '\n');
        buf_adds(text, signature);
    }
    buf_finish(&storage);
}

/* Takes one text into the job's buffer as line; 0 or the error to answer. */
static int take_text(struct send_job *job, const char *s, size_t len, struct send_line *line)
{
    struct lab_call *call = job->call;
    const char *comment = find(s, len, "\n~~~\n");
    const char *comment_at = comment != NULL ? comment + 5 : NULL;
    size_t comment_len = comment != NULL ? len - (size_t)(comment_at - s) : 0;
    struct buf work;
    size_t binary_octets = 0;
    long translit;

    if (comment != NULL)
        len = (size_t)(comment - s);
    line->type = job->type;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].prefix != NULL && starts(s, len, kinds[i].prefix)) {
            line->type = kinds[i].type;
            s += strlen(kinds[i].prefix);
            len -= strlen(kinds[i].prefix);
            break;
        }
    }
    if (line->type == LAB_SMS && strcmp(lab_param(call, "bin"), "2") == 0) {
        for (size_t i = 0; i < len; i++) {
            if (strchr("0123456789abcdefABCDEF", s[i]) == NULL)
                return 1;
        }
        if (len % 2 != 0)
            return 1;
        line->type = LAB_BINARY;
        binary_octets = len / 2;
    } else if (line->type == LAB_SMS && strcmp(lab_param(call, "bin"), "1") == 0) {
        line->type = LAB_BINARY;
        binary_octets = len;
    }
    if (binary_octets > BINARY_MAX_OCTETS || lab_param_number(call, "translit", 2, 0, &translit) != 0)
        return 1;

    buf_init(&work, SCRATCH_MAX);
    if (line->type == LAB_BINARY) {
        if (strcmp(lab_param(call, "bin"), "2") == 0) {
            buf_add(&work, s, len);
        } else { /* kept as hex: what is stored must be text */
            for (size_t i = 0; i < len; i++)
                buf_addf(&work, "%02x", (unsigned char)s[i]);
        }
    } else if (lab_flag(call, "tinyurl")) {
        shorten_links(job, s, len, &work);
    } else {
        buf_add(&work, s, len);
    }
    if (line->type == LAB_SMS || line->type == LAB_FLASH)
        add_signature(call->lab, &work);
    if (translit != 0 && line->type != LAB_BINARY) {
        struct buf latin;

        buf_init(&latin, SCRATCH_MAX);
        lab_translit((int)translit, buf_text(&work), work.len, &latin);
        buf_finish(&work);
        work = latin;
    }
    s = buf_text(&work);
    len = work.len;
    if (work.failed || (line->type != LAB_BINARY && len > MES_MAX_CHARS && smpp_utf8_chars(s, len) > MES_MAX_CHARS)) {
        buf_finish(&work);
        return 1;
    }

    enum smpp_alphabet alphabet = smpp_text_fits_gsm(s, len) ? ALPHABET_GSM7 : ALPHABET_UCS2;

    if (line->type == LAB_BINARY)
        line->parts = binary_octets <= 140 ? 1 : (unsigned)((binary_octets + 132) / 133);
    else if (needs_no_text(line->type) || line->type == LAB_MAIL)
        line->parts = 1;
    else
        line->parts = (unsigned)smpp_text_parts(alphabet, s, len);
    if (job->max_parts > 0 && line->parts > (unsigned)job->max_parts && line->type != LAB_BINARY) {
        len = cut_to_parts(alphabet, s, len, (size_t)job->max_parts);
        line->parts = (unsigned)job->max_parts;
    }

    int error = 0;

    line->empty = len == 0;
    if (len == 0 && !needs_no_text(line->type) && lab_param(call, "fileurl")[0] == '\0')
        error = 1;
    line->text_at = job->texts.len;
    line->text_len = len;
    buf_add(&job->texts, s, len);
    buf_addc(&job->texts, '\0');
    line->comment_at = job->texts.len;
    buf_add(&job->texts, comment_at, comment_len);
    buf_addc(&job->texts, '\0');
    buf_finish(&work);
    return job->texts.failed ? 1 : error;
}

/* ---- targets ---- */

static int add_targets(struct send_job *job, size_t line, const char *s, size_t len, bool may_group);

/* What stands in a group is a number or an address, never a group again: one could name itself. */
static int add_group(struct send_job *job, size_t line, const char *number, size_t len)
{
    struct buf numbers;
    char text[12], *end;
    int error = 1;

    if (len >= sizeof text)
        return 1;
    memcpy(text, number, len);
    text[len] = '\0';
    unsigned long id = strtoul(text, &end, 10);
    buf_init(&numbers, SCRATCH_MAX);
    if (*end == '\0' && id <= UINT32_MAX && desk_group(job->call->lab, (uint32_t)id, &numbers) && !numbers.failed)
        error = add_targets(job, line, buf_text(&numbers), numbers.len, false);
    buf_finish(&numbers);
    return error;
}

static int add_target(struct send_job *job, size_t line, const char *s, size_t len, bool may_group)
{
    enum lab_type type = job->lines[line].type;
    struct send_target *t;

    while (len > 0 && strchr(" \r\t\n", s[0]) != NULL) {
        s++;
        len--;
    }
    while (len > 0 && strchr(" \r\t\n", s[len - 1]) != NULL)
        len--;
    if (len == 0)
        return 0;
    if (may_group && (s[0] == 'G' || s[0] == 'g') && len > 1 && s[1] >= '0' && s[1] <= '9')
        return add_group(job, line, s + 1, len - 1);
    if (job->target_count == (size_t)job->call->lab->b.max_lines)
        return 1;
    if (!array_room(&job->targets, &job->target_size, job->target_count, sizeof *job->targets))
        return 1;
    t = &job->targets[job->target_count++];
    memset(t, 0, sizeof *t);
    t->line = (uint32_t)line;
    if (type == LAB_MAIL && (memchr(s, '@', len) == NULL || s[0] == '@' || s[len - 1] == '@')) {
        (void)lab_phone_read(s, len, t->phone);
        t->status = LAB_INVALID;
        t->err = 249;
        t->refused = 7;
    } else if (lab_phone_read(s, len, t->phone)) {
        t->op = lab_operator_of(t->phone);
    } else if (type != LAB_MAIL && type != LAB_TELEGRAM && type != LAB_SOC) {
        t->status = LAB_INVALID;
        t->err = 249;
        t->refused = 7;
    }
    return 0;
}

static int add_targets(struct send_job *job, size_t line, const char *s, size_t len, bool may_group)
{
    int error = 0;

    for (size_t at = 0; error == 0 && at <= len;) {
        size_t n = 0;

        while (at + n < len && s[at + n] != ',' && s[at + n] != ';' && s[at + n] != '\n')
            n++;
        error = add_target(job, line, s + at, n, may_group);
        at += n + 1;
    }
    return error;
}

int send_add_targets(struct send_job *job, size_t line, const char *s, size_t len)
{
    return add_targets(job, line, s, len, true);
}

static int add_line(struct send_job *job, size_t *out_line)
{
    if (job->line_count == (size_t)job->call->lab->b.max_lines ||
        !array_room(&job->lines, &job->line_size, job->line_count, sizeof *job->lines))
        return 1;
    memset(&job->lines[job->line_count], 0, sizeof job->lines[0]);
    *out_line = job->line_count++;
    return 0;
}

/* Does a line of list= start a message? Only asked with nl=1, whose framing is not documented: assumed that a line
 * which does not begin with numbers and a separator continues the text before it. */
static bool begins_message(const char *s, size_t len)
{
    const char *bar = memchr(s, '|', len);
    size_t at = bar != NULL ? (size_t)(bar - s) + 1 : 0, numbers = 0;

    for (; at < len && s[at] != ':' && s[at] != ';'; at++) {
        if (strchr("0123456789", s[at]) != NULL)
            numbers++;
        else if (strchr("+, ", s[at]) == NULL)
            return false;
    }
    return at < len && numbers > 0;
}

static int take_list_line(struct send_job *job, const char *s, size_t len)
{
    struct buf text;
    size_t line, split = 0, bar = 0;
    bool multi = lab_flag(job->call, "nl");
    int error;

    while (split < len && s[split] != ':' && s[split] != ';') {
        if (s[split] == '|' && bar == 0)
            bar = split + 1;
        split++;
    }
    if (split == len)
        return 1;
    error = add_line(job, &line);
    if (error != 0)
        return error;
    if (bar > 0) {
        const char *comma = memchr(s, ',', bar - 1);
        size_t sender_len = comma != NULL ? (size_t)(comma - s) : bar - 1;

        job->lines[line].has_sender = true;
        job->lines[line].sender_at = job->texts.len;
        buf_add(&job->texts, s, sender_len);
        buf_addc(&job->texts, '\0');
        if (comma != NULL) {
            char *end;
            double tz = strtod(comma + 1, &end);

            if (end == comma + 1 || *end != '|' || !isfinite(tz) || fabs(tz) > 24)
                return 1;
            if (time_of(job->time, 3 + tz, job->call->now_ms, &job->lines[line].at_ms) != 0)
                return 5;
            job->lines[line].has_time = true;
        }
    }

    buf_init(&text, SCRATCH_MAX);
    for (size_t i = split + 1; i < len; i++) {
        if (s[i] == '\\' && i + 1 < len && s[i + 1] == 'n' && !multi) {
            buf_addc(&text, '\n');
            i++;
        } else {
            buf_addc(&text, s[i]);
        }
    }

    struct send_line made = job->lines[line];

    error = text.failed ? 1 : take_text(job, buf_text(&text), text.len, &made);
    job->lines[line] = made;
    buf_finish(&text);
    return error != 0 ? error : send_add_targets(job, line, s + bar, split - bar);
}

static int take_list(struct send_job *job, const char *s, size_t len)
{
    bool multi = lab_flag(job->call, "nl");
    int error = 0;

    for (size_t at = 0; error == 0 && at < len;) {
        size_t end = at;

        for (;;) {
            const char *lf = memchr(s + end, '\n', len - end);

            end = lf != NULL ? (size_t)(lf - s) : len;
            if (!multi || end >= len || begins_message(s + end + 1, strcspn(s + end + 1, "\n")))
                break;
            end++;
        }

        size_t n = end - at;

        while (n > 0 && (s[at + n - 1] == '\r' || (multi && s[at + n - 1] == '\n')))
            n--;
        if (n > 0)
            error = take_list_line(job, s + at, n);
        at = end + 1;
    }
    return error != 0 ? error : job->target_count == 0;
}

/* ---- the whole ---- */

static bool id_is_good(const char *id)
{
    size_t len = strlen(id);

    for (size_t i = 0; i < len; i++) {
        char c = id[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr(".-_", c) != NULL))
            return false;
    }
    return len <= LAB_ID_MAX;
}

/* period: 0.1..720 hours, freq: 1..1440 minutes, which counts with period only. */
static bool read_spread(struct send_job *job)
{
    const char *period = lab_param(job->call, "period");
    char *end;
    long freq;

    if (period[0] == '\0' || strcmp(period, "0") == 0)
        return true;
    double hours = strtod(period, &end);
    if (end == period || *end != '\0' || !isfinite(hours) || hours < 0.1 || hours > 720 ||
        lab_param_number(job->call, "freq", 1440, 0, &freq) != 0)
        return false;
    job->period_ms = (int64_t)(hours * 3600000);
    job->freq_ms = freq * 60000;
    return true;
}

int send_read(struct send_job *job)
{
    struct lab_call *call = job->call;
    const char *id = lab_param(call, "id");
    const char *tz = lab_param(call, "tz");
    const struct http_param *list = http_params_find(&call->params, "list");
    const struct http_param *mes = http_params_find(&call->params, "mes");
    double zone = call->lab->b.timezone_h;
    long cost;
    int error = 0;

    job->time = lab_param(call, "time");
    if (!id_is_good(id) || lab_param_number(call, "cost", 3, 0, &cost) != 0 ||
        lab_param_number(call, "maxsms", 255, 0, &job->max_parts) != 0)
        return 1;
    job->cost = (int)cost;
    if (id[0] != '\0' && strcmp(id, "0") != 0)
        memcpy(job->id, id, strlen(id) + 1);
    if (tz[0] != '\0') {
        char *end;
        double v = strtod(tz, &end);

        if (end == tz || *end != '\0' || !isfinite(v) || fabs(v) > 24)
            return 1;
        zone = 3 + v;
    }
    if (time_of(job->time, zone, call->now_ms, &job->at_ms) != 0)
        return 5;
    if (valid_of(lab_param(call, "valid"), &job->valid_ms) != 0 || !read_spread(job))
        return 1;
    job->type = LAB_SMS;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (lab_flag(call, kinds[i].flag))
            job->type = kinds[i].type;
    }
    error = send_read_extras(job);
    if (error != 0)
        return error;
    if (list != NULL && list->len > 0)
        return take_list(job, list->value, list->len);

    size_t line;
    const char *phones = lab_param(call, "phones");

    error = add_line(job, &line);
    if (error == 0) {
        struct send_line made = job->lines[line];

        error = take_text(job, mes != NULL ? mes->value : "", mes != NULL ? mes->len : 0, &made);
        job->lines[line] = made;
    }
    if (error == 0)
        error = send_add_targets(job, line, phones, strlen(phones));
    return error != 0 ? error : job->target_count == 0;
}

void send_job_finish(struct send_job *job)
{
    buf_finish(&job->texts);
    buf_finish(&job->extras);
    free(job->lines);
    free(job->targets);
}

void send_job_init(struct send_job *job, struct lab_call *call)
{
    *job = (struct send_job){ .call = call };
    buf_init(&job->texts, SCRATCH_MAX);
    buf_init(&job->extras, 16 << 10);
}
