/*
 * http.h - THE DOOR of the HTTP room.
 *
 * Requests out (client.h), requests in (server.h), the aggregator's methods as structs (smsc_api.h, smsc_soap.h) and
 * its callbacks (webhook.h). Text is UTF-8 at this door. Knows no SMPP and no store.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "http/client.h"
#include "http/form.h"
#include "http/server.h"
#include "http/smsc_api.h"
#include "http/smsc_soap.h"
#include "http/webhook.h"

#endif
