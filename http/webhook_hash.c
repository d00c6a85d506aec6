/* SPDX-License-Identifier: MIT */
/*
 * webhook_hash.c - the integrity hash of callbacks [API seed 003, smsc-api 17.3].
 *
 * md5, sha1 or crc32 over values and secret joined by colons. Verified against a real example: sha1 of
 * "123:text:234:zxc". crc32 protects against accidents only; it is here because the aggregator offers it.
 */
#include "http/webhook_parts.h"

#define ERR_STATE openssl_err_state /* OpenSSL has a type of the name of our error */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#undef ERR_STATE
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "http/charset.h"

enum { HASH_TEXT_SIZE = 41, JOINED_MAX = 4 * 1024 * 1024 };

static const char *const names[] = {
    [WEBHOOK_HASH_NONE] = "", [WEBHOOK_HASH_MD5] = "md5", [WEBHOOK_HASH_SHA1] = "sha1", [WEBHOOK_HASH_CRC32] = "crc32"
};

static uint32_t crc_of(const char *joined, size_t len)
{
    return (uint32_t)crc32_z(0, (const unsigned char *)joined, len);
}

/* Fetched once and kept as long as the process: OpenSSL 3 looks EVP_sha1() up anew for each digest. */
static const EVP_MD *digest_of(enum webhook_hash hash)
{
    static EVP_MD *kept[ARRAY_LEN(names)];

    if (kept[hash] == NULL)
        kept[hash] = EVP_MD_fetch(NULL, hash == WEBHOOK_HASH_MD5 ? "MD5" : "SHA1", NULL);
    return kept[hash];
}

void webhook_hash_text(enum webhook_hash hash, const char *joined, size_t len, char out[41])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    out[0] = '\0';
    if (hash == WEBHOOK_HASH_NONE)
        return;
    if (hash == WEBHOOK_HASH_CRC32) {
        snprintf(out, HASH_TEXT_SIZE, "%u", crc_of(joined, len));
        return;
    }
    const EVP_MD *md = digest_of(hash);
    if (md == NULL || EVP_Digest(joined, len, digest, &n, md, NULL) != 1)
        return; /* md5 forbidden by the system's policy: "" equals no hash anybody sends */
    for (unsigned i = 0; i < n && i < 20; i++) {
        *out++ = "0123456789abcdef"[digest[i] >> 4];
        *out++ = "0123456789abcdef"[digest[i] & 15];
    }
    *out = '\0';
}

/* Compares every byte whatever the first difference; the lengths are no secret. */
static bool same(const char *given, size_t given_len, const char *expected)
{
    size_t len = strlen(expected);

    return len > 0 && given_len == len && CRYPTO_memcmp(given, expected, len) == 0;
}

static bool fits(enum webhook_hash hash, const char *given, size_t given_len, const struct buf *joined)
{
    char expected[HASH_TEXT_SIZE], lower[HASH_TEXT_SIZE];
    bool good;

    if (given_len >= sizeof lower)
        return false;
    for (size_t i = 0; i < given_len; i++)
        lower[i] = given[i] >= 'A' && given[i] <= 'F' ? (char)(given[i] + ('a' - 'A')) : given[i];
    webhook_hash_text(hash, buf_text(joined), joined->len, expected);
    good = same(lower, given_len, expected);
    if (hash == WEBHOOK_HASH_CRC32) { /* its writing is not documented: PHP's crc32() or a hex dump */
        uint32_t crc = crc_of(buf_text(joined), joined->len);

        snprintf(expected, sizeof expected, "%d", (int32_t)crc);
        good = same(lower, given_len, expected) | good;
        snprintf(expected, sizeof expected, "%08x", crc);
        good = same(lower, given_len, expected) | good;
    }
    return good;
}

static void join(const struct http_params *params, enum smsc_event_kind kind, const char *secret,
                 const enum webhook_charset *charset, struct buf *out)
{
    static const char *const hashed[][3] = { [SMSC_EVENT_STATUS] = { "id", "phone", "status" },
                                             [SMSC_EVENT_INCOMING] = { "phone", "mes", "to" },
                                             [SMSC_EVENT_WAITCALL] = { "phone", "ts", NULL } };

    for (size_t i = 0; i < 3 && hashed[kind][i] != NULL; i++) {
        const struct http_param *p = http_params_find(params, hashed[kind][i]);

        if (p != NULL && charset != NULL)
            charset_from_utf8(*charset, p->value, p->len, out);
        else if (p != NULL)
            buf_add(out, p->value, p->len);
        buf_addc(out, ':');
    }
    buf_adds(out, secret);
}

bool webhook_hash_good(const struct webhook_opts *opts, const struct http_params *params, enum smsc_event_kind kind,
                       bool is_utf8)
{
    bool good;

    if (opts->hash == WEBHOOK_HASH_NONE)
        return true;
    const struct http_param *given = http_params_find(params, names[opts->hash]);
    if (given == NULL || opts->secret == NULL)
        return false;
    struct buf joined;
    buf_init(&joined, JOINED_MAX);
    join(params, kind, opts->secret, NULL, &joined);
    good = !joined.failed && fits(opts->hash, given->value, given->len, &joined);
    if (is_utf8 && opts->charset != WEBHOOK_UTF8) { /* JSON, XML: hashed in either encoding, the documents do not say */
        buf_clear(&joined);
        join(params, kind, opts->secret, &opts->charset, &joined);
        good = (!joined.failed && fits(opts->hash, given->value, given->len, &joined)) | good;
    }
    buf_finish(&joined);
    return good;
}
