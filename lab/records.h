/*
 * records.h - what an account keeps beside messages: contacts, groups, senders, users, templates, jobs [smsc-api 15].
 *
 * A record is a number, a kind and the fields it was given, form encoded. What a kind means stands in desk.c (contacts,
 * groups, the black list, senders, users, templates) and jobs.c; methods_desk.c answers requests. Private to lab/.
 */
#ifndef LAB_RECORDS_H
#define LAB_RECORDS_H

#include "lab/core.h"

enum lab_record_kind { JOB, CONTACT, GROUP, BLACK, SENDER, USER, TEMPLATE, OP_TEMPLATE };

enum { RECORD_FORM_MAX = 64 << 10 };

/* A field's value; `to` is its storage, cleared first. "" when absent. */
const char *record_field(const struct lab_record *record, const char *name, struct buf *to);
/* Is this field given and neither "" nor "0"? */
bool record_flag(const struct lab_record *record, const char *name);
/* Sets one field. ERR_NOMEM, ERR_FULL. */
int record_set(struct lab_record *record, const char *name, const char *value) MUST_CHECK;
/* Takes a place; `form` becomes the record's. NULL: no room, then `form` is freed. */
struct lab_record *record_add_take(struct lab *lab, enum lab_record_kind kind, char *form, int64_t now_ms);
void record_drop(struct lab *lab, struct lab_record *record);
struct lab_record *record_by_id(struct lab *lab, enum lab_record_kind kind, uint32_t id);
/* By one field's whole value; "" finds nothing. */
struct lab_record *record_by_field(struct lab *lab, enum lab_record_kind kind, const char *name, const char *value);

/* ---- desk.c: what sending asks ---- */

/* Appends the numbers (or addresses) of a contact group, separated by commas. False: there is no such group. */
bool desk_group(struct lab *lab, uint32_t id, struct buf *out);
/* `mass`: one of several numbers of a request. */
bool desk_is_black(struct lab *lab, const char *phone, bool mass);
/* Names are free until the account has registered one, in its settings or by senders.php. */
bool desk_sender_allowed(struct lab *lab, const char *sender);
/* May be used: a name at once, a number when its code was given. */
bool desk_sender_confirmed(const struct lab_record *sender);
/* The template that is appended to every text; NULL: none. `to` is its storage. */
const char *desk_signature(struct lab *lab, struct buf *to);

/* ---- desk.c: what requests do ---- */

/* Each returns 0 or the error to answer. */
int desk_move_group(struct lab_call *call);
int desk_send_code(struct lab_call *call, struct lab_record *sender);
int desk_check_code(struct lab_call *call, struct lab_record *sender);
/* A subclient is an account of the service with money and messages of its own. */
int desk_user_add(struct lab_call *call);
int desk_user_change(struct lab_call *call);
int desk_user_pay(struct lab_call *call);
/* Numbers of a subclient: messages, spent, paid in. False: it is no account (any more). */
bool desk_user_numbers(struct lab *lab, const char *login, char sms[24], char credit[32], char debit[32]);

/* ---- jobs.c ---- */

/* Checks the parameters as a send would; 0 or the error to answer. *out_due_ms: when it leaves first. */
int job_check(struct lab_call *call, int64_t *out_due_ms);
/* After a record has come, changed or gone: lab->jobs_due_ms is true again. */
void jobs_arm(struct lab *lab);
/* Lets every job that is due send. */
void jobs_run(struct lab *lab, int64_t now_ms);
/* A message of a job has ended: with a second text or sender, or fl[5], it is sent once more when it failed. */
void job_message_ended(struct lab *lab, uint32_t job, const char *phone, int status, int64_t now_ms);
/* Sends what a form says, as send.php would, without the rules for requests. Returns 0 or the error; *out_id its id. */
int lab_send_form(struct lab *lab, const char *form, uint32_t job, int64_t now_ms, char out_id[48]);

#endif
