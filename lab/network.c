/* SPDX-License-Identifier: MIT */
/*
 * network.c - what happens to a message: outcomes drawn from the seed, magic numbers, operators by prefix.
 *
 * Pure. An outcome depends on seed, phone, text and how many messages this subscriber has had, so the same requests give
 * the same outcomes in any order of subscribers and over any number of connections.
 *
 * Magic destination numbers, all 7900000xxxx:
 *   79000000 0SS   final status SS of the documents: 001 delivered, 002 delivered then read, 003 expired, 004 delivered
 *                  then link clicked, 020 impossible, 022 invalid, 023 prohibited, 024 no money, 025 unavailable;
 *                  000 stays "transferred to the operator" for ever
 *   79000001 EEE   impossible to deliver (20) with err EEE, such as 006 subscriber offline
 *   79000002 00N   send.php answers error N (1-9)
 *   79000003 TTT   delivered after TTT seconds
 *   79000004 001   delivered, but the callback is lost       79000004 002   called back twice
 *   79000004 003   called back with a wrong hash             79000004 004   called back before send.php has answered
 *   79000004 005   delivered, then status 0 called back late
 *   79000005 xxx   delivered, and the subscriber answers with the same text
 *   79000006 000   connection closes before acceptance       79000006 001   connection closes after acceptance
 *   79000006 002   empty body                                79000006 003   half of the body
 *   79000006 004   never answered                            79000006 005   answered slowly
 *   79000006 500   HTTP 500 before acceptance                79000006 501   HTTP 500 after acceptance
 */
#include "lab/core.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct lab_operator operators[] = {
    { "7", "Россия", "", "", "250", "", 3, 11, 100 },
    { "7900", "Россия", "Лаборатория", "Лаборатория", "250", "99", 3, 11, 100 },
    { "7901", "Россия", "Теле2", "Москва", "250", "20", 3, 11, 100 },
    { "7902", "Россия", "Теле2", "Екатеринбург", "250", "20", 5, 11, 100 },
    { "7903", "Россия", "Билайн", "Москва", "250", "99", 3, 11, 100 },
    { "7905", "Россия", "Билайн", "Москва", "250", "99", 3, 11, 100 },
    { "7906", "Россия", "Билайн", "Санкт-Петербург", "250", "99", 3, 11, 100 },
    { "7908", "Россия", "Теле2", "Новосибирск", "250", "20", 7, 11, 100 },
    { "7909", "Россия", "Билайн", "Москва", "250", "99", 3, 11, 100 },
    { "791", "Россия", "МТС", "Москва", "250", "01", 3, 11, 110 },
    { "7914", "Россия", "МТС", "Владивосток", "250", "01", 10, 11, 110 },
    { "792", "Россия", "МегаФон", "Москва", "250", "02", 3, 11, 120 },
    { "7924", "Россия", "МегаФон", "Хабаровск", "250", "02", 10, 11, 120 },
    { "793", "Россия", "МегаФон", "Нижний Новгород", "250", "02", 3, 11, 120 },
    { "795", "Россия", "Теле2", "Москва", "250", "20", 3, 11, 100 },
    { "796", "Россия", "Билайн", "Москва", "250", "99", 3, 11, 100 },
    { "797", "Россия", "МТС", "Москва", "250", "01", 3, 11, 110 },
    { "798", "Россия", "МТС", "Москва", "250", "01", 3, 11, 110 },
    { "799", "Россия", "Yota", "Москва", "250", "11", 3, 11, 100 },
    { "77", "Казахстан", "Beeline KZ", "Алматы", "401", "01", 5, 11, 300 },
    { "7701", "Казахстан", "Kcell", "Алматы", "401", "02", 5, 11, 300 },
    { "7702", "Казахстан", "Kcell", "Алматы", "401", "02", 5, 11, 300 },
    { "380", "Украина", "Vodafone UA", "Киев", "255", "01", 2, 12, 250 },
    { "38067", "Украина", "Киевстар", "Киев", "255", "03", 2, 12, 250 },
    { "375", "Беларусь", "МТС", "Минск", "257", "02", 3, 12, 350 },
    { "992", "Таджикистан", "Tcell", "Душанбе", "436", "01", 5, 12, 400 },
    { "998", "Узбекистан", "Ucell", "Ташкент", "434", "05", 5, 12, 400 },
    { "1", "США", "AT&T", "", "310", "410", -5, 11, 200 },
    { "44", "Великобритания", "O2", "", "234", "10", 0, 12, 300 },
    { "48", "Польша", "Orange", "", "260", "03", 1, 11, 300 },
    { "49", "Германия", "Telekom", "", "262", "01", 1, 0, 400 },
    { "90", "Турция", "Turkcell", "", "286", "01", 3, 12, 300 },
};

const struct lab_operator *lab_operators(size_t *out_count)
{
    *out_count = ARRAY_LEN(operators);
    return operators;
}

const struct lab_operator *lab_operator_of(const char *phone)
{
    const struct lab_operator *best = NULL;
    size_t best_len = 0;

    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        size_t n = strlen(operators[i].prefix);

        if (n > best_len && strncmp(phone, operators[i].prefix, n) == 0) {
            best = &operators[i];
            best_len = n;
        }
    }
    return best;
}

uint64_t lab_hash(const void *p, size_t len, uint64_t start)
{
    const uint8_t *at = p;
    uint64_t h = start ^ 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ at[i]) * 0x100000001b3u;
    h ^= h >> 32; /* FNV leaves the low bits of short keys poor */
    h *= 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

double lab_draw(uint64_t seed, uint64_t key, uint32_t what)
{
    uint64_t z = seed + key * 0x9e3779b97f4a7c15u + (uint64_t)what * 0xd1b54a32d192ed03u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u; /* the finish of splitmix64 */
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0; /* 2^53 */
}

bool lab_shape_is_known(const char *shape)
{
    return strcmp(shape, "uniform") == 0 || strcmp(shape, "exponential") == 0 || strcmp(shape, "normal") == 0;
}

int64_t lab_spread(const char *shape, double least, double most, double draw, double other)
{
    double share = draw;

    if (shape[0] == 'e') /* mean at a fifth of the way, cut at its end */
        share = -log(1 - draw) / 5;
    else if (shape[0] == 'n') /* Box and Muller; six deviations are the whole way */
        share = 0.5 + sqrt(-2 * log(1 - draw)) * cos(2 * 3.14159265358979323846 * other) / 6;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return (int64_t)(least + (most - least) * share);
}

enum {
    DRAW_DELIVERED = 1,
    DRAW_FAILURE,
    DRAW_DELAY,
    DRAW_REPLY,
    DRAW_READ,
    DRAW_LOST,
    DRAW_TWICE,
    DRAW_REFUSE,
    DRAW_DELAY_2
};

static void pick_failure(const char *list, double draw, struct lab_outcome *out)
{
    unsigned count = 0;

    for (const char *p = list; *p != '\0'; p++)
        count += *p != ' ' && (p == list || p[-1] == ' ');
    out->status = LAB_IMPOSSIBLE;
    out->err = 255;

    unsigned wanted = (unsigned)(draw * count);
    const char *p = list;

    for (unsigned i = 0; i < count; i++) {
        p += strspn(p, " ");
        if (i == wanted) {
            char *end;
            long status = strtol(p, &end, 10);

            if (status >= 0 && status <= 99)
                out->status = (int)status;
            out->err = *end == '/' ? (int)(strtol(end + 1, NULL, 10) % 1000) : 0;
            if (out->err < 0)
                out->err = 0;
            return;
        }
        p += strcspn(p, " ");
    }
}

static void magic(int group, int code, struct lab_outcome *out)
{
    out->status = LAB_DELIVERED;
    out->err = 0;
    switch (group) {
    case 0:
        if (code == LAB_READ || code == LAB_CLICKED)
            out->read_later = true;
        else
            out->status = code;
        break;
    case 1:
        out->status = LAB_IMPOSSIBLE;
        out->err = code;
        break;
    case 2:
        out->refuse = code >= 1 && code <= 9 ? code : 0;
        break;
    case 3:
        out->delay_ms = (int64_t)code * 1000;
        break;
    case 4:
        if (code >= 1 && code <= 5)
            out->odd =
                (uint8_t[]){ 0, LAB_ODD_LOST, LAB_ODD_TWICE, LAB_ODD_BAD_HASH, LAB_ODD_EARLY, LAB_ODD_REVERSED }[code];
        break;
    case 5:
        out->odd = LAB_ODD_ECHO;
        break;
    case 6:
        if (code == 500 || code == 501) {
            out->fault = LAB_FAULT_500;
            out->fault_before = code == 500;
        } else if (code <= 5) {
            out->fault = (enum lab_fault[]){ LAB_FAULT_DROP, LAB_FAULT_DROP, LAB_FAULT_EMPTY,
                                             LAB_FAULT_CUT,  LAB_FAULT_HANG, LAB_FAULT_SLOW }[code];
            out->fault_before = code == 0;
        }
        break;
    default:
        break;
    }
}

void lab_outcome_of(const struct lab *lab, const char *phone, const char *text, uint32_t n, struct lab_outcome *out)
{
    const struct lab_behaviour *b = &lab->b;
    uint64_t key = lab_hash(text, strlen(text), lab_hash(phone, strlen(phone), n));

    memset(out, 0, sizeof *out);
    out->status = LAB_DELIVERED;
    out->delay_ms = lab_spread(b->delay_shape, b->delay_min_ms, b->delay_max_ms, lab_draw(lab->seed, key, DRAW_DELAY),
                               lab_draw(lab->seed, key, DRAW_DELAY_2));
    if (strncmp(phone, "7900000", 7) == 0 && strlen(phone) == 11) {
        magic(phone[7] - '0', (int)strtol(phone + 8, NULL, 10), out);
        return;
    }

    if (lab_draw(lab->seed, key, DRAW_REFUSE) < b->error_rate)
        out->refuse = (int)b->error_code;
    if (lab_draw(lab->seed, key, DRAW_DELIVERED) >= b->delivered)
        pick_failure(b->failures, lab_draw(lab->seed, key, DRAW_FAILURE), out);
    else if (lab_draw(lab->seed, key, DRAW_REPLY) < b->reply_ratio)
        out->odd |= LAB_ODD_ECHO;
    out->read_later = out->status == LAB_DELIVERED && lab_draw(lab->seed, key, DRAW_READ) < b->read_ratio;
    if (lab_draw(lab->seed, key, DRAW_LOST) < b->callback_lost)
        out->odd |= LAB_ODD_LOST;
    if (lab_draw(lab->seed, key, DRAW_TWICE) < b->callback_twice)
        out->odd |= LAB_ODD_TWICE;
}
