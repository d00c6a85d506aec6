/* send.h - send.php in two steps: send_read.c understands the parameters, methods_send.c acts on them. Private to lab/. */
#ifndef LAB_SEND_H
#define LAB_SEND_H

#include "lab/core.h"

enum { LAB_PHONE_SIZE = 64, LAB_ID_MAX = 40 };

struct send_line {                                   /* one text */
    size_t text_at, text_len, comment_at, sender_at; /* in send_job.texts, each with its NUL */
    int64_t at_ms;                                   /* only if has_time */
    unsigned parts;
    enum lab_type type;
    bool has_sender, has_time, empty;
};

struct send_target { /* one number */
    char phone[LAB_PHONE_SIZE];
    uint32_t line;
    const struct lab_operator *op; /* NULL: unknown country or not a number */
    int refused;                   /* 3, 6, 7, 8: this number is not sent to */
    int status, err;               /* of a refused one */
    int64_t cost_e6;
    struct lab_outcome outcome;
    bool flood; /* above the rule for messages to one subscriber */
};

struct send_job {
    struct lab_call *call;
    const char *time;
    char id[LAB_ID_MAX + 1]; /* "" until one is chosen */
    enum lab_type type;
    int cost;
    long max_parts;
    int64_t at_ms, valid_ms;    /* 0: now; 0: none given */
    int64_t period_ms, freq_ms; /* 0: not spread; freq only with period */
    uint32_t link;
    struct buf texts;
    struct buf extras; /* what only some kinds have, form encoded */
    struct send_line *lines;
    size_t line_count, line_size;
    struct send_target *targets;
    size_t target_count, target_size;
};

void send_job_init(struct send_job *job, struct lab_call *call);
/* send_extras.c: parameters that only some kinds of messages have, checked and noted in job->extras. 0 or the error. */
int send_read_extras(struct send_job *job);
/* Reads all parameters: 0 or the error to answer. */
int send_read(struct send_job *job);
/* Adds the numbers of a list separated by ',' or ';'. */
int send_add_targets(struct send_job *job, size_t line, const char *s, size_t len);
void send_job_finish(struct send_job *job);

/* A number as given, auto-corrected to its international form unless it begins with '+'. False: not a valid number;
 * `out` then holds the text as given. */
bool lab_phone_read(const char *in, size_t len, char out[LAB_PHONE_SIZE]);

#endif
