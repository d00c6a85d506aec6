/* show.h - a message's facts as named fields, for status.php and get.php. Private to lab/. */
#ifndef LAB_SHOW_H
#define LAB_SHOW_H

#include "lab/core.h"

enum {
    SHOW_END,
    SHOW_STATUS,
    SHOW_LAST_DATE,
    SHOW_LAST_TS,
    SHOW_ERR,
    SHOW_ERR_IF, /* only when not zero */
    SHOW_FLAG,
    SHOW_FLAG_IF, /* only when not zero */
    SHOW_SEND_DATE,
    SHOW_SEND_TS,
    SHOW_PHONE,
    SHOW_COST,
    SHOW_SENDER,
    SHOW_NAME,
    SHOW_MESSAGE,
    SHOW_COMMENT,
    SHOW_TYPE,
    SHOW_SMS_CNT,
    SHOW_COUNTRY,
    SHOW_OPERATOR,
    SHOW_OPERATOR_ORIG,
    SHOW_REGION,
    SHOW_MCCMNC,
    SHOW_ID,
    SHOW_COUNT
};

enum { SHOW_FIELDS_MAX = 40, SHOW_NUMBERS = 12 };

struct show { /* holds the text of numbers and dates; fields point into it and into the message */
    const struct lab_message *message; /* NULL: not found */
    const struct lab_operator *op;
    char number[SHOW_NUMBERS][32];
    char hlr[8][64];
};

void show_open(struct show *show, const struct lab *lab, const struct lab_message *message);
/* The fields of an order ended by SHOW_END. */
size_t show_fields(const struct show *show, const uint8_t *order, struct lab_field out[SHOW_FIELDS_MAX]);
/* Adds the HLR data behind n fields; returns the new count. */
size_t show_hlr(struct show *show, int fmt, struct lab_field *fields, size_t n);
void show_close(struct show *show);
const char *show_status_name(int status);
/* imsi, msc, mcc, mnc, cn, net, rcn, rnet of a number, made up but always the same. */
void show_hlr_data(const char *phone, char out[8][64]);
extern const char *const show_hlr_names[8];

#endif
