/* SPDX-License-Identifier: MIT */
/* certificate.c - a certificate made on the spot, so that nothing secret lies in the tree. */
#include "tests/support/certificate.h"

#include <assert.h>
#include <stdio.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

void test_certificate(const char *certificate_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *name;
    FILE *f;
    int ok;

    assert(key != NULL && certificate != NULL);
    name = X509_get_subject_name(certificate);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    ok = X509_sign(certificate, key, EVP_sha256());
    assert(ok > 0);
    f = fopen(certificate_path, "w");
    assert(f != NULL);
    PEM_write_X509(f, certificate);
    fclose(f);
    f = fopen(key_path, "w");
    assert(f != NULL);
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
