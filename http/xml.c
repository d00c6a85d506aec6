/* SPDX-License-Identifier: MIT */
/*
 * xml.c - parses a body in memory and reads elements by local name.
 *
 * Entities are the danger of XML: they read files and blow up. They can only be declared in a document type, which
 * neither callbacks nor SOAP ever carry [SOAP 1.1, 3], so such a document is refused before libxml2 sees it, and after,
 * should an encoding have hidden it.
 */
#include "http/xml.h"

#include <libxml/parser.h>
#include <string.h>

#include "http/charset.h"

enum { OPTIONS = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA };

static xmlDoc *parse(const char *body, size_t len, const char *encoding)
{
    xmlDoc *doc = xmlReadMemory(body, (int)len, NULL, encoding, OPTIONS);

    if (doc != NULL && (doc->intSubset != NULL || doc->extSubset != NULL)) {
        xmlFreeDoc(doc);
        doc = NULL;
    }
    return doc;
}

xmlDoc *xml_open(const char *body, size_t len, const char *fallback)
{
    if (len == 0 || len > XML_BODY_MAX || memmem(body, len, "<!DOCTYPE", 9) != NULL)
        return NULL;
    /* What is UTF-8 is not windows-1251 by chance; the declaration is known to lie like the header [smsc-api 1.4]. */
    if (charset_is_utf8(body, len))
        return parse(body, len, "UTF-8");
    xmlDoc *doc = parse(body, len, NULL);
    if (doc == NULL && fallback != NULL)
        doc = parse(body, len, fallback);
    return doc;
}

bool xml_is(const xmlNode *node, const char *local_name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, local_name) == 0;
}

static xmlNode *find(xmlNode *node, const char *local_name, unsigned depth)
{
    if (xml_is(node, local_name))
        return node;
    if (depth >= XML_WALK_DEPTH_MAX || node->type != XML_ELEMENT_NODE)
        return NULL;
    for (xmlNode *child = node->children; child != NULL; child = child->next) {
        xmlNode *found = find(child, local_name, depth + 1);

        if (found != NULL)
            return found;
    }
    return NULL;
}

xmlNode *xml_find(xmlNode *node, const char *local_name)
{
    return node == NULL ? NULL : find(node, local_name, 0);
}

bool xml_has_elements(const xmlNode *node)
{
    for (const xmlNode *child = node->children; child != NULL; child = child->next) {
        if (child->type == XML_ELEMENT_NODE)
            return true;
    }
    return false;
}

void xml_text(const xmlNode *node, struct buf *out)
{
    for (const xmlNode *child = node->children; child != NULL; child = child->next) {
        if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) && child->content != NULL)
            buf_adds(out, (const char *)child->content);
    }
}
