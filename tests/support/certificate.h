/*
 * certificate.h - a certificate made on the spot, so that nothing secret lies in the tree.
 *
 * A file of its own because OpenSSL and base/err.h both have an ERR_STATE.
 */
#ifndef TESTS_CERTIFICATE_H
#define TESTS_CERTIFICATE_H

/* A self-signed P-256 certificate for CN=test, good for a day, and its key, as PEM files. Asserts on failure. */
void test_certificate(const char *certificate_path, const char *key_path);

#endif
