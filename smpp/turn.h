/*
 * turn.h - what the connections of one libuv loop share: the end of a loop turn, alarms, the read buffer.
 *
 * Connections with output enlist and are flushed once at the end of the turn, so all answers of a turn leave in one
 * write. Connections with input left over enlist to go on in the next turn. Alarms are a heap behind one uv_timer: ten
 * thousand idle sessions cost one timer and no ticking. One turn object per loop, made by the first user and closed by
 * the last. Loop thread only.
 */
#ifndef SMPP_TURN_H
#define SMPP_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

struct smpp_turn;

/* A point in time somebody waits for; embedded in its owner. */
struct smpp_alarm {
    uint64_t at_ms; /* loop clock; UINT64_MAX: not set */
    size_t place;   /* in the heap, 0: not there */
    void (*ring)(struct smpp_alarm *alarm, uint64_t now_ms);
};

/* Something to do once at the end of this turn, or in the next one; embedded in its owner. */
struct smpp_chore {
    struct smpp_chore *next;
    bool enlisted;
    void (*run)(struct smpp_chore *chore);
};

/* The turn object of `loop`, one more user. NULL when out of memory. */
struct smpp_turn *smpp_turn_get(uv_loop_t *loop);
/* One user less; the last one closes it (the loop must run once more). NULL is welcome. */
void smpp_turn_put(struct smpp_turn *turn);
uint64_t smpp_turn_now_ms(const struct smpp_turn *turn);
uv_loop_t *smpp_turn_loop(const struct smpp_turn *turn);

/* Rings at `at_ms` or soon after, once. Setting it again moves it; UINT64_MAX takes it off. A deadline that every PDU puts
 * off is better left where it is and looked at again when it rings. */
void smpp_alarm_set(struct smpp_turn *turn, struct smpp_alarm *alarm, uint64_t at_ms);

/* Runs once before the loop waits next. Enlisting twice is once. */
void smpp_turn_flush(struct smpp_turn *turn, struct smpp_chore *chore);
/* Runs once in the next turn, and the loop does not wait before. */
void smpp_turn_next(struct smpp_turn *turn, struct smpp_chore *chore);
/* Takes a chore off its list, where it may not be. */
void smpp_turn_forget(struct smpp_turn *turn, struct smpp_chore *chore);

/* May one more step of a TLS handshake be taken now? No: next turn, so that a thousand peers that come back at once leave
 * every other connection a turn of a few milliseconds. */
bool smpp_turn_handshake(struct smpp_turn *turn);

/* The memory to read into. What is in it is handled before anybody else reads. */
uv_buf_t smpp_turn_read_buffer(struct smpp_turn *turn);
/* Memory for output, warm from the last turn: into an empty buffer (its ceiling is kept), and back when it is empty. */
void smpp_turn_lend(struct smpp_turn *turn, struct buf *b);
void smpp_turn_return(struct smpp_turn *turn, struct buf *b);

#endif
