/* json_read.h: a JSON document as a tree, for what another program wrote. RFC 8259; numbers as doubles. */
#ifndef TEAK_TOOLS_JSON_READ_H
#define TEAK_TOOLS_JSON_READ_H

#include <stdbool.h>
#include <stdint.h>

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT };

struct json_node {
    enum json_kind kind;
    const char *key;  /* of a member of an object, else NULL         */
    const char *text; /* TEXT: as it is meant, UTF-8; else NULL      */
    double number;
    uint32_t first, next; /* child of an ARRAY or OBJECT; neighbour. 0: none */
};

struct json_tree {
    struct json_node *nodes; /* [0] is the document */
    char *texts;
    uint32_t count, room;
};

/* False: it is no JSON, or too deep, or there is no memory; *out is then empty. */
bool json_read(const char *text, struct json_tree *out);
void json_read_end(struct json_tree *tree);

/* The member of an object, of that kind; NULL where there is none. */
const struct json_node *json_member(const struct json_tree *tree, const struct json_node *object, const char *key,
                                    enum json_kind kind);

#endif
