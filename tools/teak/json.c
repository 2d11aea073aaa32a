/* json.c: see json.h. Errors of the stream stay in it: whoever flushes it asks. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Bytes of the UTF-8 character at `text`; 0 if there is none (RFC 3629: no overlong form, no surrogate). */
static uint32_t utf8_bytes(const unsigned char *text)
{
    if (text[0] < 0x80) return 1;
    if (text[0] < 0xC2 || text[0] > 0xF4) return 0;
    const uint32_t bytes = text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4;
    for (uint32_t i = 1; i < bytes; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    if (text[0] == 0xE0 && text[1] < 0xA0) return 0;
    if (text[0] == 0xED && text[1] > 0x9F) return 0;
    if (text[0] == 0xF0 && text[1] < 0x90) return 0;
    if (text[0] == 0xF4 && text[1] > 0x8F) return 0;
    return bytes;
}

static void put_text(FILE *out, const char *value)
{
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)value; *at != '\0';) {
        const uint32_t bytes = utf8_bytes(at);
        if (bytes == 0) {
            fputs("\\ufffd", out);
            at++;
            continue;
        }
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at == '\n')
            fputs("\\n", out);
        else if (*at == '\t')
            fputs("\\t", out);
        else if (*at < 0x20 || *at == 0x7F)
            fprintf(out, "\\u%04x", (unsigned)*at);
        else
            fwrite(at, 1, bytes, out);
        at += bytes;
    }
    fputc('"', out);
}

static void place(struct json *json, const char *key)
{
    if (json->follows) fputs(", ", json->out);
    json->follows = true;
    if (key == NULL) return;
    put_text(json->out, key);
    fputs(": ", json->out);
}

static void open_level(struct json *json, char opening, char closing)
{
    if (json->depth == JSON_DEPTH_MAX) abort(); /* a document of this program is too deep */
    fputc(opening, json->out);
    json->closing[json->depth++] = closing;
    json->follows = false;
}

void json_begin(struct json *json, FILE *out)
{
    *json = (struct json){.out = out};
    open_level(json, '{', '}');
}

void json_end(struct json *json)
{
    json_close(json);
    if (json->depth != 0) abort(); /* something was left open */
    fputc('\n', json->out);
}

void json_object(struct json *json, const char *key)
{
    place(json, key);
    open_level(json, '{', '}');
}

void json_array(struct json *json, const char *key)
{
    place(json, key);
    open_level(json, '[', ']');
}

void json_close(struct json *json)
{
    if (json->depth == 0) abort(); /* nothing is open */
    fputc(json->closing[--json->depth], json->out);
    json->follows = true;
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    place(json, key);
    fprintf(json->out, "%" PRIu64, value);
}

void json_real(struct json *json, const char *key, double value, uint32_t decimals)
{
    place(json, key);
    if (isfinite(value))
        fprintf(json->out, "%.*f", (int)decimals, value);
    else
        fputs("null", json->out);
}

void json_bool(struct json *json, const char *key, bool value)
{
    place(json, key);
    fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
    place(json, key);
    fputs("null", json->out);
}

void json_text(struct json *json, const char *key, const char *value)
{
    place(json, key);
    put_text(json->out, value);
}

void json_hex(struct json *json, const char *key, const uint8_t *bytes, uint32_t count)
{
    place(json, key);
    fputc('"', json->out);
    for (uint32_t i = 0; i < count; i++) fprintf(json->out, "%02x", (unsigned)bytes[i]);
    fputc('"', json->out);
}
