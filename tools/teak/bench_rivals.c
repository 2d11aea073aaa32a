/* bench_rivals.c: see bench_rivals.h. */
#include "bench_rivals.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"

static double number_of(const struct json_tree *tree, const struct json_node *object, const char *key)
{
    const struct json_node *number = json_member(tree, object, key, JSON_NUMBER);
    return number != NULL ? number->number : NAN;
}

static double median_of(const struct json_tree *tree, const struct json_node *summary, const char *key)
{
    return number_of(tree, json_member(tree, summary, key, JSON_OBJECT), "median");
}

static void take_text(const struct json_tree *tree, const struct json_node *object, const char *key, char *out,
                      size_t room)
{
    const struct json_node *text = json_member(tree, object, key, JSON_TEXT);
    if (text != NULL) snprintf(out, room, "%s", text->text);
}

static void take_point(const struct json_tree *tree, const struct json_node *point, struct rivals *rivals)
{
    if (rivals->count == RIVALS_MAX || json_member(tree, point, "name", JSON_TEXT) == NULL) return;
    struct rival *row = &rivals->rows[rivals->count++];
    const struct json_node *summary = json_member(tree, point, "summary", JSON_OBJECT);
    const struct json_node *complaints = json_member(tree, point, "not_counted", JSON_ARRAY);
    const struct json_node *rival = json_member(tree, point, "rival", JSON_TEXT);
    const double counted = number_of(tree, point, "counted");
    *row = (struct rival){
        .rate = median_of(tree, summary, "entries_per_second"),
        .p99_us = median_of(tree, summary, "p99_us"),
        .times = median_of(tree, summary, "times"),
        .runs = counted >= 0 && counted < 1e6 ? (uint32_t)counted : 0,
        .load = rivals->loads_count,
        .is_teak = rival != NULL && strcmp(rival->text, "teak") == 0,
    };
    if (!(row->rate > 0)) row->rate = NAN;
    take_text(tree, point, "name", row->name, sizeof(row->name));
    take_text(tree, point, "version", row->version, sizeof(row->version));
    take_text(tree, point, "settings", row->settings, sizeof(row->settings));
    if (complaints != NULL && complaints->first != 0 && tree->nodes[complaints->first].kind == JSON_TEXT)
        snprintf(row->complaint, sizeof(row->complaint), "%s", tree->nodes[complaints->first].text);
}

static void take_load(const struct json_tree *tree, const struct json_node *node, struct rivals *rivals)
{
    const struct json_node *title = json_member(tree, node, "title", JSON_TEXT);
    const struct json_node *points = json_member(tree, node, "points", JSON_ARRAY);
    const uint32_t before = rivals->count;
    if (title == NULL || points == NULL || rivals->loads_count == RIVAL_LOADS_MAX) return;
    for (uint32_t i = points->first; i != 0; i = tree->nodes[i].next) take_point(tree, &tree->nodes[i], rivals);
    if (rivals->count == before) return;
    take_text(tree, node, "title", rivals->loads[rivals->loads_count], sizeof(rivals->loads[0]));
    rivals->loads_count++;
}

static int load_by_load_fastest_first(const void *a, const void *b)
{
    const struct rival *x = a, *y = b;
    if (x->load != y->load) return x->load < y->load ? -1 : 1;
    const double one = isnan(x->rate) ? 0 : x->rate, other = isnan(y->rate) ? 0 : y->rate;
    return (one < other) - (one > other);
}

bool rivals_read(const char *text, struct rivals *out)
{
    struct json_tree tree;
    memset(out, 0, sizeof(*out));
    if (!json_read(text, &tree)) return false;
    for (uint32_t i = 0; i < tree.count; i++)
        if (tree.nodes[i].kind == JSON_OBJECT) take_load(&tree, &tree.nodes[i], out);
    json_read_end(&tree);
    qsort(out->rows, out->count, sizeof(out->rows[0]), load_by_load_fastest_first);
    return out->count > 0;
}
