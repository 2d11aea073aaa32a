/* json_read.c: see json_read.h.
 * OWNS   A copy of the text, in which keys and texts are unescaped in place: they only become shorter.
 * FAILS  At the first byte that is no JSON: the whole tree is given up. */
#include "json_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, NODES_FIRST = 256 };
#define NODES_MAX (UINT32_C(1) << 24)
#define NO_NODE UINT32_MAX

struct reader {
    struct json_tree *tree;
    char *at;
};

static void skip_blanks(struct reader *reader) { reader->at += strspn(reader->at, " \t\r\n"); }

static bool take(struct reader *reader, const char *word)
{
    const size_t bytes = strlen(word);
    if (strncmp(reader->at, word, bytes) != 0) return false;
    reader->at += bytes;
    return true;
}

static uint32_t new_node(struct json_tree *tree, enum json_kind kind)
{
    if (tree->count == tree->room) {
        const uint32_t room = tree->room == 0 ? NODES_FIRST : tree->room * 2;
        struct json_node *wide = room > NODES_MAX ? NULL : realloc(tree->nodes, room * sizeof(*wide));
        if (wide == NULL) return NO_NODE;
        tree->nodes = wide;
        tree->room = room;
    }
    tree->nodes[tree->count] = (struct json_node){.kind = kind};
    return tree->count++;
}

static bool hex4(const char *at, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        const char c = at[i];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
                          c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    } else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    return out;
}

/* Behind "\u": one code, or two that make a pair. A zero would end the text: it is refused. */
static bool take_code(struct reader *reader, char **out)
{
    uint32_t code, low;
    if (!hex4(reader->at, &code) || code == 0) return false;
    reader->at += 4;
    if (code >= 0xD800 && code < 0xDC00) {
        if (!take(reader, "\\u") || !hex4(reader->at, &low) || low < 0xDC00 || low > 0xDFFF) return false;
        reader->at += 4;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
        return false;
    }
    *out = put_utf8(*out, code);
    return true;
}

/* NULL: no text. */
static const char *take_text(struct reader *reader)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (!take(reader, "\"")) return NULL;
    char *const begin = reader->at, *out = begin;
    while (*reader->at != '"') {
        const char c = *reader->at++;
        if ((unsigned char)c < 0x20) return NULL; /* the end too */
        if (c != '\\') {
            *out++ = c;
            continue;
        }
        const char escape = *reader->at;
        const char *known = escape != '\0' ? strchr(escapes, escape) : NULL;
        if (known == NULL && escape != 'u') return NULL;
        reader->at++;
        if (known != NULL)
            *out++ = meant[known - escapes];
        else if (!take_code(reader, &out))
            return NULL;
    }
    reader->at++;
    *out = '\0';
    return begin;
}

static size_t digits(const char *at) { return strspn(at, "0123456789"); }

static bool take_number(struct reader *reader, double *out)
{
    const char *end = reader->at + (*reader->at == '-');
    const size_t whole = digits(end);
    if (whole == 0 || (*end == '0' && whole > 1)) return false;
    end += whole;
    if (*end == '.') {
        const size_t part = digits(end + 1);
        if (part == 0) return false;
        end += 1 + part;
    }
    if (*end == 'e' || *end == 'E') {
        end++;
        end += *end == '+' || *end == '-';
        const size_t part = digits(end);
        if (part == 0) return false;
        end += part;
    }
    char *stop;
    *out = strtod(reader->at, &stop);
    reader->at = stop;
    return stop == end && isfinite(*out);
}

static uint32_t take_value(struct reader *reader, uint32_t depth);

/* Behind the opening: members or elements, and what closes them. */
static bool take_members(struct reader *reader, uint32_t owner, bool is_object, uint32_t depth)
{
    const char *closing = is_object ? "}" : "]";
    uint32_t before = 0;
    skip_blanks(reader);
    if (take(reader, closing)) return true;
    do {
        const char *key = NULL;
        skip_blanks(reader);
        if (is_object) {
            if ((key = take_text(reader)) == NULL) return false;
            skip_blanks(reader);
            if (!take(reader, ":")) return false;
        }
        const uint32_t node = take_value(reader, depth + 1);
        if (node == NO_NODE) return false;
        struct json_node *nodes = reader->tree->nodes; /* they may have moved */
        nodes[node].key = key;
        if (before == 0)
            nodes[owner].first = node;
        else
            nodes[before].next = node;
        before = node;
        skip_blanks(reader);
    } while (take(reader, ","));
    return take(reader, closing);
}

/* Its node; NO_NODE: none. */
static uint32_t take_value(struct reader *reader, uint32_t depth)
{
    struct json_tree *tree = reader->tree;
    if (depth > DEPTH_MAX) return NO_NODE;
    skip_blanks(reader);
    if (take(reader, "null")) return new_node(tree, JSON_NULL);
    if (take(reader, "true")) return new_node(tree, JSON_TRUE);
    if (take(reader, "false")) return new_node(tree, JSON_FALSE);
    const bool is_object = *reader->at == '{';
    if (is_object || *reader->at == '[') {
        reader->at++;
        const uint32_t node = new_node(tree, is_object ? JSON_OBJECT : JSON_ARRAY);
        return node != NO_NODE && take_members(reader, node, is_object, depth) ? node : NO_NODE;
    }
    if (*reader->at == '"') {
        const char *text = take_text(reader);
        const uint32_t node = text != NULL ? new_node(tree, JSON_TEXT) : NO_NODE;
        if (node != NO_NODE) tree->nodes[node].text = text;
        return node;
    }
    double number;
    const uint32_t node = take_number(reader, &number) ? new_node(tree, JSON_NUMBER) : NO_NODE;
    if (node != NO_NODE) tree->nodes[node].number = number;
    return node;
}

bool json_read(const char *text, struct json_tree *out)
{
    *out = (struct json_tree){.texts = strdup(text)};
    struct reader reader = {.tree = out, .at = out->texts};
    if (out->texts != NULL && take_value(&reader, 0) != NO_NODE) {
        skip_blanks(&reader);
        if (*reader.at == '\0') return true;
    }
    json_read_end(out);
    return false;
}

void json_read_end(struct json_tree *tree)
{
    free(tree->nodes);
    free(tree->texts);
    *tree = (struct json_tree){0};
}

const struct json_node *json_member(const struct json_tree *tree, const struct json_node *object, const char *key,
                                    enum json_kind kind)
{
    if (object == NULL || object->kind != JSON_OBJECT) return NULL;
    for (uint32_t i = object->first; i != 0; i = tree->nodes[i].next)
        if (strcmp(tree->nodes[i].key, key) == 0 && tree->nodes[i].kind == kind) return &tree->nodes[i];
    return NULL;
}
