/* json.h: one JSON document onto a stream, piece by piece, on one line. `key` is NULL inside an array. */
#ifndef TEAK_TOOLS_JSON_H
#define TEAK_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH_MAX = 16 };

struct json {
    FILE *out;
    uint32_t depth;
    char closing[JSON_DEPTH_MAX]; /* what ends each open level                    */
    bool follows;                 /* a value stands before, so a comma is needed  */
};

void json_begin(struct json *json, FILE *out); /* opens the outermost object */
void json_end(struct json *json);              /* closes it, and the line    */

void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
void json_close(struct json *json); /* the innermost object or array */

void json_number(struct json *json, const char *key, uint64_t value);
void json_real(struct json *json, const char *key, double value, uint32_t decimals); /* not finite: null */
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* Any bytes up to the zero; what is no UTF-8 becomes U+FFFD. */
void json_text(struct json *json, const char *key, const char *value);
void json_hex(struct json *json, const char *key, const uint8_t *bytes, uint32_t count);

#endif
