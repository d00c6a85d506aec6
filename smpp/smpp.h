/*
 * smpp.h - THE DOOR of the SMPP room.
 *
 * Everything about SMPP 3.3, 3.4 and 5.0 and about the text it carries: PDUs, sessions of ESMEs bound to us (server.h),
 * ourselves as an ESME (client.h), data_coding to UTF-8 and back (text.h), long messages (udh.h), receipts (receipt.h),
 * times (smpptime.h). Knows no HTTP, no store and no aggregator.
 */
#ifndef SMPP_SMPP_H
#define SMPP_SMPP_H

#include "smpp/client.h"
#include "smpp/pdu.h"
#include "smpp/receipt.h"
#include "smpp/server.h"
#include "smpp/smpptime.h"
#include "smpp/text.h"
#include "smpp/udh.h"

#endif
