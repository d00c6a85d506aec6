/*
 * xml.h - libxml2 held on a short leash: no network, no DTD, no entities, bounded size and depth.
 *
 * Private to the HTTP room; used for callbacks with fmt=2 and for SOAP.
 */
#ifndef HTTP_XML_H
#define HTTP_XML_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { XML_BODY_MAX = 1024 * 1024, XML_WALK_DEPTH_MAX = 8 };

/* The document, or NULL when it is not well-formed, too large, or declares a document type. `fallback` is the encoding
 * taken when the bytes are no UTF-8 and the declaration does not help; NULL none. xmlFreeDoc it. */
xmlDoc *xml_open(const char *body, size_t len, const char *fallback);
/* Local name of an element node, whatever its namespace. */
bool xml_is(const xmlNode *node, const char *local_name);
/* First element of this name in the tree under `node` (itself included), at most XML_WALK_DEPTH_MAX deep; or NULL. */
xmlNode *xml_find(xmlNode *node, const char *local_name);
bool xml_has_elements(const xmlNode *node);
/* Appends the element's text (character data and CDATA) as UTF-8. */
void xml_text(const xmlNode *node, struct buf *out);

#endif
